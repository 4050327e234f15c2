package project

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/apachekafka"
	"github.com/andmerada/andmerada/internal/ingest"
)

// load reads a compose file as `docker compose` does: a key that the
// specification does not have is an error.
func load(file string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithWorkingDirectory(filepath.Dir(file)), cli.WithResolvedPaths(true), cli.WithInterpolation(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func compose(t *testing.T) *types.Project {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := load(file)
	if err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	return p
}

func TestComposeRefusesUnknownKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "docker-compose.yml")
	bad := strings.Replace(read(t, "docker-compose.yml"), "healthcheck:", "healthchek:", 1)
	if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(file); err == nil || !strings.Contains(err.Error(), "healthchek") {
		t.Errorf("a misspelt key: err = %v", err)
	}
}

func TestComposeServices(t *testing.T) {
	t.Parallel()
	p := compose(t)
	for _, name := range []string{"kafka", "topic", "clickhouse", "migrate", "ingest", "intake", "server", "prometheus", "grafana"} {
		if _, there := p.Services[name]; !there {
			t.Errorf("there is no service %s", name)
		}
	}
	pinned := regexp.MustCompile(`^[a-z0-9-]+/[a-z0-9-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?$`) // no registry, a version
	used := make(map[string]bool)
	for name, s := range p.Services {
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s: the image %q is not a name with a version", name, s.Image)
		}
		runs := name != "topic" && name != "migrate" // which end by themselves
		if runs && (s.HealthCheck == nil || len(s.HealthCheck.Test) == 0 || s.HealthCheck.Disable) {
			t.Errorf("%s has no health check", name)
		}
		if runs && s.Restart == "" {
			t.Errorf("%s is not restarted when it ends", name)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to others than this machine", name, port.Published)
			}
		}
		for on, dependency := range s.DependsOn {
			upstream := p.Services[on]
			switch dependency.Condition {
			case types.ServiceConditionHealthy:
				if upstream.HealthCheck == nil {
					t.Errorf("%s waits for %s to be healthy, which has no health check", name, on)
				}
			case types.ServiceConditionCompletedSuccessfully:
			default:
				t.Errorf("%s depends on %s by %q: say when that is ready", name, on, dependency.Condition)
			}
		}
		references(t, p, name, used)
		for key, value := range s.Environment {
			if strings.Contains(strings.ToLower(key), "password") && value != nil && !strings.HasSuffix(key, "_FILE") {
				t.Errorf("%s: %s: a secret is a file, not a variable that `docker inspect` shows", name, key)
			}
		}
	}
	for name := range p.Secrets {
		if !used["secret "+name] {
			t.Errorf("no service uses the secret %s", name)
		}
	}
	for name := range p.Configs {
		if !used["config "+name] {
			t.Errorf("no service uses the configuration %s", name)
		}
	}
	for name := range p.Volumes {
		if !used["volume "+name] {
			t.Errorf("no service uses the volume %s", name)
		}
	}
}

// references checks that what a service mounts is declared, and where it is a
// file of this project, that it exists.
func references(t *testing.T, p *types.Project, name string, used map[string]bool) {
	t.Helper()
	s := p.Services[name]
	for _, c := range s.Configs {
		used["config "+c.Source] = true
		declared, ok := p.Configs[c.Source]
		if !ok {
			t.Errorf("%s: the configuration %s is not declared", name, c.Source)
			continue
		}
		if _, err := os.Stat(declared.File); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	prepare := read(t, "deploy/compose/prepare")
	for _, c := range s.Secrets {
		used["secret "+c.Source] = true
		declared, ok := p.Secrets[c.Source]
		if !ok {
			t.Errorf("%s: the secret %s is not declared", name, c.Source)
			continue
		}
		made := "secrets/" + filepath.Base(declared.File)
		if !strings.HasSuffix(filepath.ToSlash(declared.File), "deploy/compose/"+made) ||
			!strings.Contains(prepare, ">"+made) && !strings.Contains(prepare, "\ndraw "+filepath.Base(declared.File)+"\n") {
			t.Errorf("%s: the secret %s is none that deploy/compose/prepare makes", name, declared.File)
		}
	}
	for _, v := range s.Volumes {
		used["volume "+v.Source] = true
		if _, ok := p.Volumes[v.Source]; v.Type != types.VolumeTypeVolume || !ok {
			t.Errorf("%s: the volume %s is not declared", name, v.Source)
		}
	}
	if s.Build != nil {
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestComposeVersions holds that what is deployed is what the tests run
// against.
func TestComposeVersions(t *testing.T) {
	t.Parallel()
	p := compose(t)
	for _, name := range []string{"kafka", "topic"} {
		if want := "apache/kafka:" + apachekafka.Version; p.Services[name].Image != want {
			t.Errorf("%s runs %s, the tests %s", name, p.Services[name].Image, want)
		}
	}
	series := embedded.LibraryVersion[:strings.LastIndex(embedded.LibraryVersion, ".")]
	if want := "clickhouse/clickhouse-server:" + series; p.Services["clickhouse"].Image != want {
		t.Errorf("clickhouse runs %s, the tests %s", p.Services["clickhouse"].Image, want)
	}
	golang := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	if golang == nil || !strings.Contains(read(t, "deploy/Dockerfile"), "FROM golang:"+golang[1]+"-") {
		t.Errorf("deploy/Dockerfile does not build with the Go of go.mod, %v", golang)
	}
}

// settings is what the tests below look at of a configuration. That its keys
// are those of the program is held by a test of cmd/andmerada.
type settings struct {
	Kafka struct {
		Brokers []string
		Topic   string
	}
	ClickHouse struct {
		Addr         string
		User         string
		PasswordFile string `yaml:"password_file"`
		Migrations   struct {
			User         string
			PasswordFile string `yaml:"password_file"`
		}
		Cases struct {
			User         string
			PasswordFile string `yaml:"password_file"`
		}
	} `yaml:"clickhouse"`
	SecretFile string `yaml:"secret_file"`
	Listen     string
	Intake     struct {
		Tokens string `yaml:"tokens_file"`
		Listen string
	}
}

func TestComposeConfigurations(t *testing.T) {
	t.Parallel()
	p := compose(t)
	users := read(t, "deploy/compose/clickhouse-users.xml")
	for name, addr := range map[string]string{"migrate": "clickhouse:9000", "ingest": "clickhouse:9000", "server": "clickhouse:9000", "intake": ""} {
		s := p.Services[name]
		if len(s.Configs) != 1 {
			t.Fatalf("%s mounts %d configurations", name, len(s.Configs))
		}
		if found := s.Environment["ANDMERADA_CONFIG"]; found == nil || *found != s.Configs[0].Target {
			t.Errorf("%s does not find its configuration at %s", name, s.Configs[0].Target)
		}
		data, err := os.ReadFile(p.Configs[s.Configs[0].Source].File)
		if err != nil {
			t.Fatal(err)
		}
		var c settings
		if err := yaml.Unmarshal(data, &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(c.Kafka.Brokers, []string{"kafka:9092"}) || c.ClickHouse.Addr != addr {
			t.Errorf("%s: reaches for Kafka at %v and for ClickHouse at %s", name, c.Kafka.Brokers, c.ClickHouse.Addr)
		}
		if c.Kafka.Topic != ingest.DefaultTopic || !slices.Contains(p.Services["topic"].Command, "--topic="+c.Kafka.Topic) {
			t.Errorf("%s: the topic %s is not the one that is made", name, c.Kafka.Topic)
		}
		if addr != "" && !strings.Contains(users, "<"+c.ClickHouse.User+">") {
			t.Errorf("%s: ClickHouse has no user %s", name, c.ClickHouse.User)
		}
		switch m := c.ClickHouse.Migrations.User; {
		case name != "migrate" && m != "":
			t.Errorf("%s: would migrate by %q, which is for migrate alone", name, m)
		case name == "migrate" && !strings.Contains(users, "<"+m+">"):
			t.Errorf("%s: ClickHouse has no user %q to migrate by", name, m)
		}
		if name == "server" && !strings.Contains(users, "<"+c.ClickHouse.Cases.User+">") {
			t.Errorf("%s: ClickHouse has no user %q to keep cases by", name, c.ClickHouse.Cases.User)
		}
		for _, file := range []string{c.SecretFile, c.ClickHouse.PasswordFile, c.ClickHouse.Migrations.PasswordFile, c.ClickHouse.Cases.PasswordFile, c.Intake.Tokens} {
			if file == "" {
				continue
			}
			mounted := slices.ContainsFunc(s.Secrets, func(m types.ServiceSecretConfig) bool {
				return m.Target == file || m.Target == "" && "/run/secrets/"+m.Source == file
			})
			if !mounted {
				t.Errorf("%s: the secret %s is not mounted", name, file)
			}
		}
		if name == "intake" {
			if len(s.Secrets) != 1 {
				t.Errorf("the intake is given %d secrets: it needs the tokens alone", len(s.Secrets))
			}
			c.Listen = c.Intake.Listen
		}
		if serves := name == "intake" || name == "server"; serves && (len(s.Ports) != 1 || !strings.HasSuffix(c.Listen, ":"+s.Ports[0].Published) || !strings.HasSuffix(c.Listen, fmt.Sprintf(":%d", s.Ports[0].Target))) {
			t.Errorf("%s listens at %s, which is not the port that is published", name, c.Listen)
		}
	}
}

// TestPrepare runs the script that makes the secrets, twice: what is there is
// left alone.
func TestPrepare(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deploy", "compose")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prepare", "clickhouse-users.xml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(read(t, "deploy/compose/"+name)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	made := func() map[string]string {
		run(t, "", filepath.Join(dir, "prepare"))
		contents := make(map[string]string)
		for _, name := range []string{"secrets/pseudonyms", "secrets/clickhouse-writer-password", "secrets/clickhouse-migrations-password", "secrets/clickhouse-reader-password", "secrets/clickhouse-cases-password", "secrets/clickhouse-grafana-password", "secrets/grafana-admin-password", "secrets/intake-tokens", "secrets/clickhouse-users.xml", "../../.env"} {
			file := filepath.Join(dir, name)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			contents[name] = string(data)
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if secret := !strings.HasSuffix(name, ".xml"); secret && info.Mode().Perm() != 0o600 {
				t.Errorf("%s has the mode %v", name, info.Mode().Perm())
			}
		}
		return contents
	}
	first, second := made(), made()
	for name, text := range first {
		if second[name] != text {
			t.Errorf("%s was made anew", name)
		}
	}
	if len(first["secrets/pseudonyms"]) != 64 || first["secrets/pseudonyms"] == first["secrets/clickhouse-writer-password"] {
		t.Error("the secrets are not 256 bits drawn at random")
	}
	if users := first["secrets/clickhouse-users.xml"]; strings.Contains(users, "SHA256") || len(regexp.MustCompile(`<password_sha256_hex>[0-9a-f]{64}</`).FindAllString(users, -1)) != 5 {
		t.Error("the users' passwords were not put in")
	}
}
