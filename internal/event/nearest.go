package event

// nearest is the candidate that differs least from name, or "" where none is
// near enough to be what was meant.
func nearest(name string, candidates []string) string {
	if len(name) > MaxName {
		return ""
	}
	best, bestDistance := "", len(name)/3+2
	for _, c := range candidates {
		if d := editDistance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is how many letters must be put in, left out or changed
// (Levenshtein), in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// DidYouMean is a mend that names the candidate that differs least from name, or
// "" where none is near enough to be what was meant.
func DidYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" && n != name {
		return "did you mean \"" + n + "\"?"
	}
	return ""
}
