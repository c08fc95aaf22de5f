package settings

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// CheckOrigin says what is wrong with one of [Handler.TrustedOrigins]. It has to
// be written as browsers send it: scheme, host, and the port unless that is the
// scheme's own, and nothing else. There are no wildcards.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return noOrigin(origin)
	}
	host, ok := originHost(u)
	if !ok {
		return noOrigin(origin)
	}
	if sent := u.Scheme + "://" + host; origin != sent {
		return fmt.Errorf("origin %q is not as browsers send it: write %s", origin, sent)
	}
	return nil
}

func noOrigin(origin string) error {
	return fmt.Errorf("origin %q is none: write a scheme and a host, without wildcards, such as https://app.example or http://localhost:8080", origin)
}

// originHost is the host, with the port if it is not the scheme's own, as
// browsers have it in an origin.
func originHost(u *url.URL) (host string, ok bool) {
	host = strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		if host = "[" + addr.String() + "]"; addr.Zone() != "" {
			return "", false
		}
	} else if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return "", false
	}
	if u.Port() == "" {
		return host, true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return "", false
	}
	if port == 80 && u.Scheme == "http" || port == 443 && u.Scheme == "https" {
		return host, true
	}
	return host + ":" + strconv.FormatUint(port, 10), true
}

// trustOrigins prepares what keeps pages of other origins from changing anything
// with the credentials that a browser adds by itself.
func (h *Handler) trustOrigins() error {
	for _, origin := range h.TrustedOrigins {
		err := CheckOrigin(origin)
		if err == nil {
			err = h.crossOrigin.AddTrustedOrigin(origin)
		}
		if err != nil {
			return fmt.Errorf("settings.Handler: TrustedOrigins: %w", err)
		}
	}
	return nil
}

// isOwnPage tells whether the address of a page is one of a site whose pages may
// change something.
func (h *Handler) isOwnPage(r *http.Request, page string) bool {
	u, err := url.Parse(page)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Host == r.Host || slices.Contains(h.TrustedOrigins, u.Scheme+"://"+u.Host)
}
