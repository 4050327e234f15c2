package duties

import (
	"bytes"

	"github.com/andmerada/andmerada/internal/identity"
)

// Links are pseudonyms that are of one person. Some fifty bytes a pseudonym.
type Links struct {
	number map[identity.Pseudonym]int32
	parent []int32
	last   []identity.Pseudonym // the highest pseudonym of a whole
}

// NewLinks are none.
func NewLinks() *Links { return &Links{number: make(map[identity.Pseudonym]int32)} }

// Join makes persons one, with all that each was joined to before.
func (l *Links) Join(persons ...identity.Pseudonym) {
	for _, p := range persons {
		if _, known := l.number[p]; !known {
			l.number[p] = int32(len(l.parent))
			l.parent = append(l.parent, int32(len(l.parent)))
			l.last = append(l.last, p)
		}
		a, b := l.root(l.number[persons[0]]), l.root(l.number[p])
		if a == b {
			continue
		}
		l.parent[b] = a
		if bytes.Compare(l.last[b][:], l.last[a][:]) > 0 {
			l.last[a] = l.last[b]
		}
	}
}

func (l *Links) root(i int32) int32 {
	for l.parent[i] != i {
		l.parent[i] = l.parent[l.parent[i]]
		i = l.parent[i]
	}
	return i
}

// Whole is the number of the person that a pseudonym is one of, and the highest
// of that person's pseudonyms; no number if it is joined to no other.
func (l *Links) Whole(p identity.Pseudonym) (number int32, last identity.Pseudonym, linked bool) {
	i, linked := l.number[p]
	if !linked {
		return 0, p, false
	}
	i = l.root(i)
	return i, l.last[i], true
}
