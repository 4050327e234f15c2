// Package secure connects to Kafka and ClickHouse by TLS, and logs in to Kafka
// by SASL.
//
// A server is always verified: there is no way to switch that off. TLS is 1.2
// or newer. Certificates, keys and passwords are read from their files for each
// new connection, so that files that were replaced count without a restart;
// connections that are open stay as they are. Errors say what is wrong and how
// to mend it, in the words of the configuration file.
package secure
