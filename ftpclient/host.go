package ftpclient

// chooseHost tells a server of several hosts which one is meant (HOST, RFC 7151), alone and
// before the login: another host should not see the password. It comes before AUTH, so that
// the server has the certificate of that host (proftpd refuses it afterwards unless the
// client has named the host in TLS, too); under implicit TLS, which begins at once, it
// comes after the handshake.
func (c *conn) chooseHost(underTLS bool) error {
	cfg := &c.client.cfg
	if cfg.VirtualHost == "" || underTLS != (cfg.TLS == TLSImplicit) {
		return nil
	}
	if _, err := c.greeting(); err != nil {
		return err
	}
	replies, err := c.exchange(command{"HOST", cfg.VirtualHost})
	if err != nil {
		return failed("HOST", "", err)
	}
	if !replies[0].ok() {
		return refusal("HOST", "", replies[0])
	}
	return nil
}
