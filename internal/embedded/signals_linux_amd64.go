package embedded

import (
	"syscall"
	"unsafe"
)

// guarded are the signals that the engine sets to the system's default when it
// is told to leave them alone, and SIGPIPE. Go has its own handlers on most.
var guarded = [...]syscall.Signal{
	syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGILL, syscall.SIGBUS, syscall.SIGSYS,
	syscall.SIGFPE, syscall.SIGTSTP, syscall.SIGTRAP, syscall.SIGPIPE,
}

// sigaction is the kernel's struct of rt_sigaction(2) on amd64. It's only
// carried back, so nothing of it is interpreted.
type sigaction struct {
	handler, flags, restorer, mask uint64
}

// savedSignals are handlers as they once were.
type savedSignals [len(guarded)]sigaction

// saveSignals reads the present handlers of the guarded signals.
func saveSignals() *savedSignals {
	var s savedSignals
	for i, signal := range guarded {
		rtSigaction(signal, nil, &s[i])
	}
	return &s
}

// restore puts the handlers back.
func (s *savedSignals) restore() {
	for i, signal := range guarded {
		rtSigaction(signal, &s[i], nil)
	}
}

// rtSigaction is rt_sigaction(2). With these arguments it has no error to
// return (EFAULT and EINVAL are all it knows): a failure is a mistake here.
func rtSigaction(signal syscall.Signal, act, old *sigaction) {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(signal),
		uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(old)), unsafe.Sizeof(sigaction{}.mask), 0, 0) //nolint:gosec // The call keeps both alive.
	if errno != 0 {
		panic("rt_sigaction: " + errno.Error())
	}
}
