package settings

// OpenAPI is the file that describes the API.
var OpenAPI = openAPI

// Routes are the methods and paths that are served.
func Routes() (list []string) {
	for _, rt := range routes {
		list = append(list, rt.method+" "+rt.path)
	}
	return list
}
