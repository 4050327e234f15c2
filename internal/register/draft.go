package register

import "io/fs"

// Draft reads a register without checking it, and gives the findings on what
// could not even be read. Its rules are not compiled: nothing can be judged by
// it, but what it says can be shown.
func Draft(file string, data, categories []byte) (*Register, []Finding) {
	var cats CategoriesSource
	if _, findings := decodeYAML(CategoriesFile, categories, &cats); findings != nil {
		return nil, findings
	}
	vocab, err := newVocabulary(cats)
	if err != nil {
		return nil, []Finding{{File: CategoriesFile, Problem: err.Error()}}
	}
	r := &Register{File: file, Version: version(data, categories, nil), Vocab: vocab}
	if _, findings := decodeYAML(file, data, &r.Source); findings != nil {
		return nil, findings
	}
	return r, nil
}

// ReadDecisions reads the decisions on the registers of one controller from a
// directory of registers, by name, for [Parse].
func ReadDecisions(fsys fs.FS, controller string) ([]DecisionFile, error) {
	return readDecisions(fsys, controller)
}
