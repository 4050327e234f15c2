package project

import (
	"regexp"
	"strings"
	"testing"
)

// The reader of docker-compose.yml has the bounds of the embedded one, which
// tests hold to; the memory of a query is each machine's own.
func TestTheReadersAreAlike(t *testing.T) {
	t.Parallel()
	profile := func(file string) string {
		m := regexp.MustCompile(`(?s)<reader>(.*?)</reader>`).FindStringSubmatch(read(t, file))
		if m == nil {
			t.Fatalf("%s has no profile reader", file)
		}
		text := regexp.MustCompile(`(?s)<!--.*?-->|<profile>default</profile>`).ReplaceAllString(m[1], "")
		text = regexp.MustCompile(`(?m)^ *<max_memory_usage>\d+</max_memory_usage>\n`).ReplaceAllString(text, "")
		text = regexp.MustCompile(`(<max_memory_usage><min>1</min><max>)[^<]*<`).ReplaceAllString(text, "$1<")
		lines := strings.Fields(text)
		return strings.Join(lines, "\n")
	}
	sorted := func(file string) map[string]bool {
		set := make(map[string]bool)
		for line := range strings.SplitSeq(profile(file), "\n") {
			set[line] = true
		}
		return set
	}
	compose, embedded := sorted("deploy/compose/clickhouse-users.xml"), sorted("internal/embedded/users.xml.tmpl")
	if len(compose) < 10 {
		t.Errorf("the profile has %d lines only", len(compose))
	}
	for line := range embedded {
		if !compose[line] {
			t.Errorf("deploy/compose/clickhouse-users.xml lacks %s", line)
		}
	}
	for line := range compose {
		if !embedded[line] {
			t.Errorf("internal/embedded/users.xml.tmpl lacks %s", line)
		}
	}
}
