package apachekafka

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/andmerada/andmerada/internal/embedded/cached"
)

// fetch returns the directory of the broker's jars. If they aren't there, they
// are fetched with Maven.
func fetch() (libs string, err error) {
	home, err := cached.Dir("kafka-"+Version, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o600); err != nil {
			return fmt.Errorf("write pom.xml: %w", err)
		}
		maven := exec.Command("mvn", "-B", "-q", "dependency:copy-dependencies", //nolint:gosec,noctx // Fixed arguments; the test's own limit ends it.
			"-DoutputDirectory="+filepath.Join(dir, "libs"), "-DincludeScope=runtime")
		maven.Dir = dir
		if out, err := maven.CombinedOutput(); err != nil {
			return fmt.Errorf("fetch Apache Kafka %s with mvn (Debian: apt-get install maven; a repository must be reachable): %w\n%s", Version, err, out)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return filepath.Join(home, "libs"), nil
}
