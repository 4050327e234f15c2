// Package embedded runs Kafka and ClickHouse inside the process, for one
// machine: the demo and the tests. Both speak their own protocols on loopback,
// so that everything else is the code of a production system; only addresses
// differ.
//
// Kafka is franz-go's kfake with a data directory: a broker in Go, whose data
// and committed group offsets survive a restart and a kill.
//
// ClickHouse is its own engine as a shared library (libchdb), loaded without
// cgo: the storage, the SQL and the native and HTTP protocols of a ClickHouse
// server, without TLS, replication and ON CLUSTER. The library is fetched by
// `make engine`; see [FindLibrary].
//
// Each holds a lock on its directory for as long as it runs, and a kill frees
// it. Linux on x86-64 only, as the library is.
package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrDirInUse says that another process (or another part of this one) runs on
// the same directory.
var ErrDirInUse = errors.New("the directory is in use")

// dirLock is an flock on a file of the directory. The system releases it when
// the process ends, however it ends, so a stale lock cannot be left behind.
type dirLock struct{ f *os.File }

// lockDir makes dir (0700) if need be and takes its lock, or fails with
// [ErrDirInUse]. It returns the directory's absolute path.
func lockDir(dir string) (string, *dirLock, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", nil, fmt.Errorf("find directory %q: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return "", nil, fmt.Errorf("make directory %q: %w; choose one that this user may write to", abs, err)
	}
	// O_CLOEXEC, which os sets, matters: a child process that inherited the
	// descriptor would hold the lock after this process's death.
	f, err := os.OpenFile(filepath.Join(abs, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("lock directory %q: %w; choose one that this user may write to", abs, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w: %q; stop the other process that runs on it (`fuser %s` names it), or choose another directory",
			ErrDirInUse, abs, f.Name())
	} else if err != nil {
		err = fmt.Errorf("lock directory %q: %w; it must be on a local file system", abs, err)
	}
	if err != nil {
		return "", nil, errors.Join(err, f.Close())
	}
	return abs, &dirLock{f}, nil
}

// release frees the lock. A nil lock is none.
func (l *dirLock) release() error {
	if l == nil {
		return nil
	}
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("release the lock %q: %w", l.f.Name(), err)
	}
	return nil
}
