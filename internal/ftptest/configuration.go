package ftptest

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// configuration is what a real server has to be told.
type configuration struct {
	dir  string // for its files
	root string
	host string
	port uint16
	pem  string // file with certificate and key; "" without TLS
	opts RealOptions

	outside []string // files made outside of dir
}

// Passive ports lie below the kernel's ephemeral ones, where control ports are reserved.
const passiveLow, passiveHigh = 20000, 32000

// write writes the files that the named server wants and returns the command that starts it.
func (c *configuration) write(name string) (argv []string, err error) {
	if name == "pyftpdlib" {
		return c.pyftpdlib()
	}
	servers, err := serversDir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(servers, "usr/sbin", name)); err != nil {
		return nil, fmt.Errorf("%s is not installed: run make setup", name)
	}
	switch name {
	case "vsftpd":
		return c.vsftpd(servers)
	case "proftpd":
		return c.proftpd(servers)
	default:
		return c.pureftpd(servers)
	}
}

// serversDir finds the folder of unpacked servers beside the go.mod above the working directory.
func serversDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".servers"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory, so the test servers cannot be found")
		}
		dir = parent
	}
}

// file writes a file for the server and returns its path.
func (c *configuration) file(name, content string) (string, error) {
	path := filepath.Join(c.dir, name)
	return path, os.WriteFile(path, []byte(content), 0o600)
}

func (c *configuration) idleSeconds() int {
	return int((c.opts.IdleTimeout + time.Second - 1) / time.Second)
}

func (c *configuration) vsftpd(servers string) ([]string, error) {
	modules, err := filepath.Glob(filepath.Join(servers, "lib/*/security/pam_pwdfile.so"))
	if err != nil || len(modules) != 1 {
		return nil, fmt.Errorf("pam_pwdfile is not installed: run make setup")
	}
	passwords, err := c.file("passwords", realUser+":"+realHash+"\n")
	if err != nil {
		return nil, err
	}
	service, err := c.pamService(fmt.Sprintf(
		"auth required %s pwdfile=%s\naccount required pam_permit.so\nsession required pam_permit.so\n", modules[0], passwords))
	if err != nil {
		return nil, err
	}
	empty := filepath.Join(c.dir, "empty")
	if err := os.Mkdir(empty, 0o555); err != nil {
		return nil, err
	}
	lines := []string{
		"background=NO", fmt.Sprintf("listen_port=%d", c.port),
		"anonymous_enable=NO", "local_enable=YES", "pam_service_name=" + service,
		"guest_enable=YES", "guest_username=" + ftpAccount, "virtual_use_local_privs=YES",
		"local_root=" + c.root, "chroot_local_user=YES", "allow_writeable_chroot=YES", "secure_chroot_dir=" + empty,
		"local_umask=022", "file_open_mode=0666",
		"seccomp_sandbox=NO", "xferlog_enable=NO", "session_support=NO",
		fmt.Sprintf("pasv_min_port=%d", passiveLow), fmt.Sprintf("pasv_max_port=%d", passiveHigh),
		fmt.Sprintf("max_clients=%d", c.opts.MaxClients), fmt.Sprintf("max_per_ip=%d", c.opts.MaxPerAddr),
	}
	if c.opts.ReadOnly {
		lines = append(lines, "write_enable=NO")
	} else {
		lines = append(lines, "write_enable=YES")
	}
	if c.opts.TimeZone != "" {
		lines = append(lines, "use_localtime=YES")
	}
	if c.opts.IPv6 {
		lines = append(lines, "listen=NO", "listen_ipv6=YES", "listen_address6="+c.host)
	} else {
		lines = append(lines, "listen=YES", "listen_address="+c.host)
	}
	if s := c.idleSeconds(); s > 0 {
		lines = append(lines, fmt.Sprintf("idle_session_timeout=%d", s))
	}
	if c.pem != "" {
		lines = append(lines, "ssl_enable=YES", "rsa_cert_file="+c.pem, "require_ssl_reuse=YES", "ssl_ciphers=HIGH",
			"force_local_logins_ssl=NO", "force_local_data_ssl=NO")
	}
	if c.opts.ImplicitTLS {
		lines = append(lines, "implicit_ssl=YES")
	}
	lines = append(lines, c.opts.Directives...)
	if c.opts.Promiscuous {
		lines = append(lines, "pasv_promiscuous=YES", "port_promiscuous=YES")
	}
	config, err := c.file("vsftpd.conf", strings.Join(lines, "\n")+"\n")
	return []string{filepath.Join(servers, "usr/sbin/vsftpd"), config}, err
}

const pamDir, pamPrefix = "/etc/pam.d", "ftptest"

// pamService registers a PAM service for this server. PAM looks nowhere but in /etc/pam.d; the
// file is removed when the server stops, and those of test processes that died here.
func (c *configuration) pamService(rules string) (service string, err error) {
	old, err := filepath.Glob(filepath.Join(pamDir, pamPrefix+"-*-*"))
	if err != nil {
		return "", err
	}
	for _, f := range old {
		pid, err := strconv.Atoi(strings.Split(filepath.Base(f), "-")[1])
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.Remove(f) // another process may have been faster
		}
	}
	service = fmt.Sprintf("%s-%d-%d", pamPrefix, os.Getpid(), c.port)
	file := filepath.Join(pamDir, service)
	c.outside = append(c.outside, file)
	return service, os.WriteFile(file, []byte(rules), 0o644)
}

func (c *configuration) proftpd(servers string) ([]string, error) {
	users, err := c.file("users", fmt.Sprintf("%s:%s:%d:%d::%s:/bin/sh\n", realUser, realHash, ftpUID, ftpGID, c.root))
	if err != nil {
		return nil, err
	}
	onOff := map[bool]string{true: "on", false: "off"}
	lines := []string{
		"ModulePath " + filepath.Join(servers, "usr/lib/proftpd"),
		"LoadModule mod_ident.c", "IdentLookups off",
		"ServerName ftptest", "ServerType standalone", "ServerIdent on",
		"DefaultAddress " + c.host, "SocketBindTight on", fmt.Sprintf("Port %d", c.port), "UseIPv6 " + onOff[c.opts.IPv6],
		"User nobody", "Group nogroup", "UseReverseDNS off", "DefaultRoot ~", "RequireValidShell off", "Umask 022",
		"AuthOrder mod_auth_file.c", "AuthUserFile " + users,
		"AllowOverwrite " + onOff[!c.opts.NoOverwrite], "AllowStoreRestart " + onOff[!c.opts.NoRestart], "AllowRetrieveRestart on",
		"MaxInstances 200", "PidFile " + filepath.Join(c.dir, "pid"), "ScoreboardFile " + filepath.Join(c.dir, "scoreboard"),
		"DelayTable none", "DelayEngine off", "TransferLog none", "WtmpLog off", "SystemLog none",
		fmt.Sprintf("PassivePorts %d %d", passiveLow, passiveHigh),
	}
	if c.opts.MaxClients > 0 {
		lines = append(lines, fmt.Sprintf("MaxClients %d", c.opts.MaxClients))
	}
	if c.opts.MaxPerAddr > 0 {
		lines = append(lines, fmt.Sprintf("MaxConnectionsPerHost %d", c.opts.MaxPerAddr))
	}
	if s := c.idleSeconds(); s > 0 {
		lines = append(lines, fmt.Sprintf("TimeoutIdle %d", s))
	}
	if c.opts.Promiscuous {
		lines = append(lines, "AllowForeignAddress on")
	}
	if c.opts.ReadOnly {
		lines = append(lines, "<Limit WRITE>", "DenyAll", "</Limit>")
	}
	if c.opts.TimeZone != "" {
		lines = append(lines, "TimesGMT off")
	}
	if c.opts.NoMLSD {
		lines = append(lines, "<Limit MLSD MLST>", "DenyAll", "</Limit>", "FactsAdvertise off")
	}
	if c.pem != "" {
		lines = append(lines, "LoadModule mod_tls.c", "TLSEngine on", "TLSRSACertificateFile "+c.pem,
			"TLSRSACertificateKeyFile "+c.pem, "TLSRequired off", "TLSLog none")
	}
	if c.opts.ImplicitTLS {
		lines = append(lines, "TLSOptions UseImplicitSSL")
	}
	if c.opts.Quota > 0 {
		directives, err := c.quota()
		if err != nil {
			return nil, err
		}
		lines = append(lines, directives...)
	}
	lines = append(lines, c.opts.Directives...)
	config, err := c.file("proftpd.conf", strings.Join(lines, "\n")+"\n")
	return []string{filepath.Join(servers, "usr/sbin/proftpd"), "-n", "-q", "-c", config}, err
}

func (c *configuration) pureftpd(servers string) ([]string, error) {
	users, err := c.file("users", fmt.Sprintf("%s:%s:%d:%d::%s/./::::::::::::\n", realUser, realHash, ftpUID, ftpGID, c.root))
	if err != nil {
		return nil, err
	}
	database := filepath.Join(c.dir, "users.pdb")
	if err := makePuredb(servers, users, database); err != nil {
		return nil, err
	}
	const many = 200
	clients := cmp.Or(c.opts.MaxClients, many)
	argv := []string{
		filepath.Join(servers, "usr/sbin/pure-ftpd"),
		"-S", fmt.Sprintf("%s,%d", c.host, c.port), "-g", filepath.Join(c.dir, "pid"),
		"-A", "-l", "puredb:" + database, "-E", "-H", "-u", "1", "-U", "133:022",
		"-p", fmt.Sprintf("%d:%d", passiveLow, passiveHigh),
		"-c", strconv.Itoa(clients), "-C", strconv.Itoa(cmp.Or(c.opts.MaxPerAddr, clients)),
	}
	if m := (c.idleSeconds() + 59) / 60; m > 0 {
		argv = append(argv, "-I", strconv.Itoa(m))
	}
	if c.opts.Promiscuous {
		argv = append(argv, "-w")
	}
	if c.opts.ReadOnly { // it has no such setting
		if err := os.Chown(c.root, 0, 0); err != nil {
			return nil, err
		}
	}
	if c.pem != "" {
		argv = append(argv, "-Y", "1", "-2", c.pem)
	}
	return argv, nil
}

// makePuredb turns the text form of pure-ftpd's user list into the form it reads.
func makePuredb(servers, users, database string) error {
	out, err := exec.Command(filepath.Join(servers, "usr/bin/pure-pw"), "mkdb", database, "-f", users).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pure-pw mkdb: %w: %s", err, out)
	}
	return nil
}

//go:embed pyftpd.py
var pyftpdScript string

func (c *configuration) pyftpdlib() ([]string, error) {
	const python = "/usr/bin/python3" // the one that Debian's packages are for
	if modules, err := filepath.Glob("/usr/lib/python3/dist-packages/pyftpdlib/servers.py"); err != nil || len(modules) == 0 {
		return nil, fmt.Errorf("pyftpdlib is not installed: run make setup")
	}
	script, err := c.file("pyftpd.py", pyftpdScript)
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(map[string]any{
		"host": c.host, "port": c.port, "root": c.root, "user": realUser, "password": realPassword,
		"uid": ftpUID, "gid": ftpGID, "tls": c.pem, "max_clients": c.opts.MaxClients, "max_per_addr": c.opts.MaxPerAddr,
		"idle_timeout": c.idleSeconds(), "read_only": c.opts.ReadOnly, "no_mlsd": c.opts.NoMLSD,
		"promiscuous": c.opts.Promiscuous,
	})
	if err != nil {
		return nil, err
	}
	config, err := c.file("pyftpd.json", string(settings))
	return []string{python, "-B", script, config}, err
}
