package event

// SchemaAgainst is a schema resolved against another version of our own.
func SchemaAgainst(writer string, kind Kind, reader string) (*Schema, error) {
	w, err := parseAvro(writer)
	if err != nil {
		return nil, err
	}
	own, err := parseAvro(reader)
	if err != nil {
		return nil, err
	}
	s := new(Schema)
	s.data[kind] = compile(w, newTarget(own, readerNames[kind], true))
	return s, nil
}

// Sinks are the paths that values have a place for.
func Sinks() (paths []string) {
	for p := range sinks {
		paths = append(paths, p)
	}
	return paths
}

// TargetPaths are the paths of our own schemas at which values stand.
func TargetPaths() (paths []string) {
	var walk func(t *target)
	walk = func(t *target) {
		for _, b := range t.branches {
			walk(b)
		}
		for _, f := range t.fields {
			walk(f.target)
		}
		if t.items != nil {
			walk(t.items)
		}
		if len(t.branches)+len(t.fields) == 0 {
			paths = append(paths, t.path)
		}
	}
	for _, kind := range []Kind{Processing, FactEvent, CohortPart} {
		walk(readerOf(kind))
	}
	return paths
}
