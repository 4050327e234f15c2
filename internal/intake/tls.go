package intake

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLSFiles are what a server needs for TLS, in PEM.
type TLSFiles struct {
	Cert, Key string // the server's certificate, with the CAs between it and the root, and its key
	ClientCA  string // the CAs that sign certificates of sources; none are asked for if empty
}

// ServerTLS is the TLS of a server. The files are read for each connection, so
// that renewed ones count without a restart. A client may have no certificate: then
// it needs a token.
func ServerTLS(files TLSFiles) (*tls.Config, error) {
	read := func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			return nil, fmt.Errorf("read intake.tls.cert_file and key_file, which must belong together: %w", err)
		}
		c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
		if files.ClientCA == "" {
			return c, nil
		}
		pem, err := os.ReadFile(files.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("read intake.tls.client_ca_file: %w", err)
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("intake.tls.client_ca_file %s has no certificate in PEM: put the CA's there", files.ClientCA)
		}
		return c, nil
	}
	first, err := read(nil)
	if err != nil {
		return nil, err
	}
	first.GetConfigForClient = read
	return first, nil
}
