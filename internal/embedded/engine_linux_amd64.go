package embedded

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// engine holds the library's few functions that are used. The library has
// global state and is never unloaded: its threads outlive a stop.
type engine struct {
	queryCmdline             func(argc int32, argv unsafe.Pointer) uintptr
	resultError              func(result uintptr) string
	destroyResult            func(result uintptr)
	setSignalHandlersEnabled func(enabled int32)
}

var loaded struct {
	sync.Mutex
	path   string
	engine *engine
}

// loadEngine loads the library at path, once a process.
func loadEngine(path string) (*engine, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.engine != nil {
		if loaded.path != path {
			return nil, fmt.Errorf("load the ClickHouse library %q: this process has already loaded %q; only one can be", path, loaded.path)
		}
		return loaded.engine, nil
	}
	handle, err := purego.Dlopen(path, purego.RTLD_LAZY|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the ClickHouse library %q: %w; if the file is damaged, remove it and run `make engine`", path, err)
	}
	e := &engine{}
	for name, function := range map[string]any{
		"chdb_query_cmdline":               &e.queryCmdline,
		"chdb_result_error":                &e.resultError,
		"chdb_destroy_query_result":        &e.destroyResult,
		"chdb_set_signal_handlers_enabled": &e.setSignalHandlersEnabled,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("use the ClickHouse library %q: %w; it is not version %s: run `make engine`", path, err, LibraryVersion)
		}
		purego.RegisterFunc(function, symbol)
	}
	loaded.path, loaded.engine = path, e
	return e, nil
}

// run runs the engine with a command line, until its queries end. It returns
// the engine's own error, or "".
func (e *engine) run(args []string) string {
	runtime.LockOSThread()
	// Not unlocked: the engine leaves thread-local state behind, so the thread
	// must end with the goroutine and not serve others.

	// The engine's handlers would take SIGSEGV away from Go, and with it the
	// recovery from a nil dereference: the goroutine would hang. (Some versions
	// of the library reset Go's handlers here; this one leaves them alone, and
	// TestClickHouseStopsUnderClients would tell.)
	e.setSignalHandlersEnabled(0)

	args = append([]string{"clickhouse"}, args...)
	argv := make([]*byte, len(args)+1) // The last stays nil, as in C.
	for i, arg := range args {
		argv[i] = &append([]byte(arg), 0)[0]
	}
	result := e.queryCmdline(int32(len(args)), unsafe.Pointer(&argv[0])) //nolint:gosec // argv of C; a dozen arguments.
	runtime.KeepAlive(argv)
	if result == 0 {
		return ""
	}
	// A result comes on success too: only its error tells.
	text := e.resultError(result)
	e.destroyResult(result)
	return text
}
