package embedded

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// hangUp ends the connections that the engine has accepted on the ports, as if
// their clients had gone: its sockets are this process's own. The engine waits
// at its stop for connections that are open, be they idle; if some stay it
// ends the whole process, with exit code 0.
func hangUp(ports [2]int) error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list open connections: %w", err)
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// What isn't a socket, or is no longer open, has no address.
		name, err := syscall.Getsockname(fd)
		if err != nil {
			continue
		}
		// A client's socket has another port of its own, so that only the
		// engine's ends match.
		address, ok := name.(*syscall.SockaddrInet4)
		if !ok || (address.Port != ports[0] && address.Port != ports[1]) {
			continue
		}
		if listens, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err != nil || listens != 0 {
			continue
		}
		if err := syscall.Shutdown(fd, syscall.SHUT_RDWR); err != nil && !errors.Is(err, syscall.ENOTCONN) && !errors.Is(err, syscall.EBADF) {
			return fmt.Errorf("end a connection: %w", err)
		}
	}
	return nil
}
