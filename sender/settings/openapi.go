package settings

import _ "embed" // for the file

//go:embed openapi.json
var openAPI []byte

// getOpenAPI describes the API to programs.
func getOpenAPI(c *call) error {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = c.w.Write(openAPI) // the client may be gone
	return nil
}
