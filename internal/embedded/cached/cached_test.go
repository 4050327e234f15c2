package cached_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/andmerada/andmerada/internal/embedded/cached"
)

// What could not be fetched leaves nothing behind that is taken for it, and what
// is wanted by many at once is fetched once.
func TestDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	broken := errors.New("cut off")
	if _, err := cached.Dir("jars", func(dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o600), broken)
	}); !errors.Is(err, broken) {
		t.Fatalf("the error is %v", err)
	}
	var filled atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			dir, err := cached.Dir("jars", func(dir string) error {
				filled.Add(1)
				return os.WriteFile(filepath.Join(dir, "whole"), []byte("w"), 0o600)
			})
			if err != nil {
				t.Error(err)
				return
			}
			text, err := os.ReadFile(filepath.Join(dir, "whole"))
			if _, half := os.Stat(filepath.Join(dir, "half")); err != nil || string(text) != "w" || half == nil {
				t.Errorf("the directory is not what was put there: %v", err)
			}
		})
	}
	all.Wait()
	if filled.Load() != 1 {
		t.Errorf("filled %d times", filled.Load())
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "andmerada", ".jars*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	if cached.Sum([]byte("ab"), []byte("c")) == cached.Sum([]byte("a"), []byte("bc")) {
		t.Error("texts with other borders have the same sum")
	}
}
