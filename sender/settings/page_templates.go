package settings

import (
	"html/template"
	"io/fs"
	"path"
)

// templates are those of the pages, by the name of their file. Each has the
// layout and the parts that pages share.
var templates = readTemplates()

func readTemplates() map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(templateFuncs).ParseFS(pageFiles, "pages/layout.html", "pages/part_*.html"))
	all := make(map[string]*template.Template)
	names, _ := fs.Glob(pageFiles, "pages/page_*.html") // the pattern is well-formed
	for _, name := range names {
		page := template.Must(template.Must(shared.Clone()).ParseFS(pageFiles, name))
		all[path.Base(name)[len("page_"):]] = page
	}
	return all
}

// templateFuncs are what templates call beside the methods of what they show.
var templateFuncs = template.FuncMap{
	"count":   countText,
	"dict":    dict,
	"visible": visible,
}

// dict makes one value of several for a part: names and values in turn.
func dict(pairs ...any) map[string]any {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, ok := pairs[i].(string); ok {
			m[name] = pairs[i+1]
		}
	}
	return m
}
