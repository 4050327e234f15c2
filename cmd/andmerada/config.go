package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/trail"
)

// config says where everything is. It is one YAML file; secrets stand in files
// of their own, which it names. The demo writes one for what it starts, so
// that every command finds it.
type config struct {
	Kafka struct {
		Brokers []string `yaml:"brokers"`         // host:port
		Topic   string   `yaml:"topic"`           // of the events
		Group   string   `yaml:"group,omitempty"` // of ingest; "andmerada-ingest" if empty

		TLS  *tlsConfig  `yaml:"tls,omitempty"`  // plain TCP if left out
		SASL *saslConfig `yaml:"sasl,omitempty"` // no login if left out
	} `yaml:"kafka"`
	ClickHouse struct {
		Addr         string `yaml:"addr"` // host:port of the native protocol
		Database     string `yaml:"database"`
		User         string `yaml:"user"`
		PasswordFile string `yaml:"password_file"` // holds the password and nothing else; $ANDMERADA_CLICKHOUSE_PASSWORD if empty

		Migrations *userConfig `yaml:"migrations,omitempty"` // who makes the tables and alters them; user if left out
		Cases      *userConfig `yaml:"cases,omitempty"`      // who keeps cases; nobody if left out
		TLS        *tlsConfig  `yaml:"tls,omitempty"`        // plain TCP if left out
	} `yaml:"clickhouse"`
	Registry   *registryConfig `yaml:"registry,omitempty"`  // schema registry; none if left out
	Registers  string          `yaml:"registers,omitempty"` // directory; those built in if empty
	Unusual    string          `yaml:"unusual,omitempty"`   // rules on unusual access; those built in if empty
	Profiles   string          `yaml:"profiles,omitempty"`  // directory of jurisdiction profiles; those built in if empty
	SecretFile string          `yaml:"secret_file"`         // the secret that keys all pseudonyms
	Listen     string          `yaml:"listen,omitempty"`    // address of the web server; 127.0.0.1:8080 if empty
	Access     *accessConfig   `yaml:"access,omitempty"`    // who may ask over HTTP; whoever is on this machine if left out
	Asking     askingConfig    `yaml:"asking,omitempty"`
	Findings   struct {
		Topic      string `yaml:"topic,omitempty"`       // Kafka topic that findings are written to; none if empty
		Webhook    string `yaml:"webhook,omitempty"`     // address that they are posted to; none if empty
		SecretFile string `yaml:"secret_file,omitempty"` // holds the secret that signs what is posted
		Violations bool   `yaml:"violations,omitempty"`  // tell violations only
	} `yaml:"findings,omitempty"`
	Quarantine struct {
		SourceMiB int `yaml:"source_mib,omitempty"` // of how many MiB of one source it keeps the bytes; 256 if 0
	} `yaml:"quarantine,omitempty"`
	Intake    *intakeConfig   `yaml:"intake,omitempty"` // of events over HTTP; none if left out
	Telemetry telemetryConfig `yaml:"telemetry,omitempty"`

	file string `yaml:"-"` // where it was read from
}

// userConfig is a further user of ClickHouse, so that each may do no more than it
// has to: cases are kept by another than who reads the trail and may write
// nothing, tables made and altered by another than who writes into them.
type userConfig struct {
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file,omitempty"` // $ANDMERADA_CASES_PASSWORD, $ANDMERADA_MIGRATIONS_PASSWORD if empty
}

// maxSourceMiB bounds what the quarantine may keep of one source: 1 TiB.
const maxSourceMiB = 1 << 20

const (
	configVariable = "ANDMERADA_CONFIG"
	defaultListen  = "127.0.0.1:8080"
	demoDirectory  = "data/demo"
	configName     = "andmerada.yaml"
)

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "",
		"configuration file (default: $"+configVariable+", ./"+configName+", or that of the demo in "+demoDirectory+")")
}

var errNoConfig = errors.New("there is no configuration: start the demo (andmerada demo), or give --config FILE (see deploy/" + configName + ")")

// findConfig reads the file given, or the first there is of the usual ones.
func findConfig(file string) (*config, error) {
	if file == "" {
		file = os.Getenv(configVariable)
	}
	if file != "" {
		return readConfig(file)
	}
	for _, usual := range []string{configName, filepath.Join(demoDirectory, configName)} {
		c, err := readConfig(usual)
		if !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	return nil, errNoConfig
}

func readConfig(file string) (*config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	var c config
	if err := yaml.UnmarshalWithOptions(data, &c, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read the configuration %s: %s", file, yaml.FormatError(err, false, true))
	}
	c.file = file
	c.fillIn()
	if err := errors.Join(c.check(), c.checkAccess(), c.Telemetry.check(), noEmptySections(data)); err != nil {
		return nil, fmt.Errorf("read the configuration %s: %w", file, err)
	}
	// Files that it names are looked for beside it.
	for _, name := range append(slices.Concat(c.secureFiles(), c.accessFiles(), c.intakeFiles(), c.userFiles()), &c.Registers, &c.Unusual, &c.Profiles, &c.SecretFile, &c.ClickHouse.PasswordFile, &c.Findings.SecretFile) {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(filepath.Dir(file), *name)
		}
	}
	return &c, nil
}

// userFiles are the files that the sections of further users name.
func (c *config) userFiles() (files []*string) {
	for _, u := range []*userConfig{c.ClickHouse.Migrations, c.ClickHouse.Cases} {
		if u != nil {
			files = append(files, &u.PasswordFile)
		}
	}
	return files
}

func (c *config) fillIn() {
	for _, d := range []struct {
		v  *string
		is string
	}{{&c.Kafka.Topic, ingest.DefaultTopic}, {&c.Kafka.Group, ingest.DefaultGroup}, {&c.Listen, defaultListen}, {&c.ClickHouse.Database, "andmerada"}} {
		if *d.v == "" {
			*d.v = d.is
		}
	}
}

func (c *config) check() error {
	var missing []string
	if len(c.Kafka.Brokers) == 0 {
		missing = append(missing, "kafka.brokers")
	}
	apart := c.Intake != nil && c.ClickHouse.Addr == "" && c.SecretFile == "" // the intake alone needs neither
	if c.ClickHouse.Addr == "" && !apart {
		missing = append(missing, "clickhouse.addr")
	}
	if c.SecretFile == "" && !apart {
		missing = append(missing, "secret_file")
	}
	if c.ClickHouse.Migrations != nil && c.ClickHouse.Migrations.User == "" {
		missing = append(missing, "clickhouse.migrations.user")
	}
	if c.ClickHouse.Cases != nil && c.ClickHouse.Cases.User == "" {
		missing = append(missing, "clickhouse.cases.user")
	}
	if c.Findings.Webhook != "" && c.Findings.SecretFile == "" {
		missing = append(missing, "findings.secret_file")
	}
	if c.Intake != nil && c.Intake.Tokens == "" {
		missing = append(missing, "intake.tokens_file")
	}
	if n := c.Quarantine.SourceMiB; n < 0 || n > maxSourceMiB {
		return fmt.Errorf("quarantine.source_mib must be from 1 to %d", maxSourceMiB)
	}
	if missing != nil {
		return fmt.Errorf("it lacks %s", strings.Join(missing, ", "))
	}
	return nil
}

func (c *config) write(file string) error {
	data, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return replaceFile(file, data)
}

// replaceFile writes a file that only its owner may read, and renames it into
// place: whoever reads it meanwhile, or after a crash, has all of the old one or
// all of the new.
func replaceFile(file string, data []byte) error {
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// trail is how to open the trail that the configuration names.
func (c *config) trail(readOnly bool) (trail.Config, error) {
	if c.ClickHouse.Addr == "" {
		return trail.Config{}, fmt.Errorf("the configuration %s is for the intake alone: it lacks clickhouse.addr and secret_file", c.file)
	}
	password, err := readPassword("ClickHouse", c.ClickHouse.PasswordFile, "ANDMERADA_CLICKHOUSE_PASSWORD")
	if err != nil {
		return trail.Config{}, err
	}
	t := trail.Config{
		Addr: c.ClickHouse.Addr, Database: c.ClickHouse.Database, User: c.ClickHouse.User, Password: password, ReadOnly: readOnly,
	}
	if u := c.ClickHouse.Cases; u != nil && readOnly {
		t.CasesUser = u.User
		if t.CasesPassword, err = readPassword("ClickHouse, for cases", u.PasswordFile, "ANDMERADA_CASES_PASSWORD"); err != nil {
			return trail.Config{}, err
		}
	}
	if u := c.ClickHouse.Migrations; u != nil && !readOnly {
		t.MigrationsUser = u.User
		if t.MigrationsPassword, err = readPassword("ClickHouse, for migrations", u.PasswordFile, "ANDMERADA_MIGRATIONS_PASSWORD"); err != nil {
			return trail.Config{}, err
		}
	}
	if c.ClickHouse.TLS != nil {
		d, err := c.ClickHouse.TLS.dialer("clickhouse")
		if err != nil {
			return trail.Config{}, err
		}
		t.Dial = d.DialContext
	}
	return t, nil
}
