package trail

// shared keeps one string for each distinct text that is read, so that reading
// allocates only what is new and equal texts compare by their address. It is
// for one goroutine.
type shared map[string]string

// maxShared bounds it: texts are bounded, their number is not.
const maxShared = 1 << 16

func (s shared) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if v, ok := s[string(b)]; ok {
		return v
	}
	if len(s) >= maxShared {
		clear(s)
	}
	v := string(b)
	s[v] = v
	return v
}
