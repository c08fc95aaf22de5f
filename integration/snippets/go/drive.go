// Command drive does what drive.mjs does, with the snippet in Go, which the
// test puts beside it.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"drive/hooks"
)

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		f := strings.Split(lines.Text(), "|")
		h := make(http.Header)
		for i, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			if f[i] != "" {
				h.Set(name, f[i])
			}
		}
		now, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			panic(err)
		}
		body, err := base64.StdEncoding.DecodeString(f[4])
		if err != nil {
			panic(err)
		}
		if hooks.Verify(h, body, time.Unix(now, 0)) {
			fmt.Println("yes")
		} else {
			fmt.Println("no")
		}
	}
}
