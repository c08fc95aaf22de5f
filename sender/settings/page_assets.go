package settings

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

// assetFile is a file that pages refer to. Its path holds a digest of what is
// in it, so that it may be kept for ever.
type assetFile struct {
	path, contentType string
	content           []byte
}

var (
	style  = readAsset("style.css", "text/css; charset=utf-8")
	script = readAsset("script.js", "text/javascript; charset=utf-8")
)

func readAsset(name, contentType string) assetFile {
	content := embedded(name)
	sum := sha256.Sum256(content)
	base, ext, _ := strings.Cut(name, ".")
	return assetFile{base + "." + hex.EncodeToString(sum[:6]) + "." + ext, contentType, content}
}

// embedded is a file of the folder pages. That it is there is tested.
func embedded(name string) []byte {
	content, _ := pageFiles.ReadFile(path.Join("pages", name))
	return content
}

// asset serves a file that pages refer to.
func asset(c *call) error {
	for _, file := range []*assetFile{&style, &script} {
		if file.path != c.r.PathValue("name") {
			continue
		}
		h := c.w.Header()
		h.Set("Content-Type", file.contentType)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Content-Length", strconv.Itoa(len(file.content)))
		_, _ = c.w.Write(file.content) // the client may be gone
		return nil
	}
	return &refusal{status: http.StatusNotFound, detail: "there is no such file any more: load the page again"}
}
