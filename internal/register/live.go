package register

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"
)

// Live is the registers in use. Files that have changed take effect when they
// are read again; files that do not check change nothing.
type Live struct {
	fsys fs.FS
	set  atomic.Pointer[Set]
	read [sha256.Size]byte // what the files were when they were last read
}

// NewLive loads the registers of a directory as [Load] does.
func NewLive(fsys fs.FS) (*Live, error) {
	l := &Live{fsys: fsys}
	if _, err := l.Refresh(); err != nil {
		return nil, err
	}
	return l, nil
}

// Set is the registers in use now. A set never changes: who judges several
// events alike holds on to one.
func (l *Live) Set() *Set { return l.set.Load() }

// Refresh reads the files again where they have changed since, and says whether
// the registers in use are others now. Where one does not check, the error names
// each fault, those in use stay, and the same files are not tried again. It is
// for one goroutine at a time; Set is for all.
func (l *Live) Refresh() (changed bool, err error) {
	now, err := fingerprint(l.fsys)
	if err != nil {
		return false, fmt.Errorf("look at the registers: %w", err)
	}
	old := l.Set()
	if old != nil && now == l.read {
		return false, nil
	}
	l.read = now
	fresh, err := Load(l.fsys)
	if err != nil {
		return false, err
	}
	if old != nil {
		fresh.retire(old)
	}
	l.set.Store(fresh)
	return true, nil
}

// maxRetired bounds how many versions that are in use no more are remembered.
const maxRetired = 100

// retire remembers the registers of an earlier set, so that verdicts given by
// them can still be explained.
func (s *Set) retire(old *Set) {
	for _, r := range slices.Concat(old.All(), old.retired) {
		if _, there := s.Version(r.Version); !there && len(s.retired) < maxRetired {
			s.retired = append(s.retired, r)
		}
	}
}

// fingerprint tells the contents of all files of a directory of registers, but
// for worked cases, which bind nothing.
func fingerprint(fsys fs.FS) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "cases" || strings.HasPrefix(d.Name(), ".") && name != "."):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".yaml":
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s\n%d\n", name, len(data))
		h.Write(data)
		return nil
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}
