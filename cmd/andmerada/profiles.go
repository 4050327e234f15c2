package main

import (
	"fmt"
	"io/fs"
	"os"

	profiles "github.com/andmerada/andmerada/deploy/profiles"
	"github.com/andmerada/andmerada/internal/profile"
)

// loadProfiles loads the jurisdiction profiles of a directory, or those built
// in.
func loadProfiles(dir string) (*profile.Set, error) {
	var fsys fs.FS = profiles.FS
	if dir != "" {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, fmt.Errorf("open the profiles: %w", err)
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("open the profiles: %s is a file: give the directory that holds them", dir)
		}
		fsys = os.DirFS(dir)
	}
	set, err := profile.Load(fsys)
	if err != nil {
		return nil, fmt.Errorf("load the profiles: %w", err)
	}
	return set, nil
}
