// Package keyringtest runs a session bus of its own, with a keyring on it that keeps secrets in
// memory, for tests.
package keyringtest

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"
)

const (
	service    = dbus.ObjectPath("/org/freedesktop/secrets")
	collection = service + "/collection/login"
	prompt     = service + "/prompt/1"
	session    = service + "/session/1"
	nothing    = dbus.ObjectPath("/")

	interfaces = "org.freedesktop.Secret."
)

// Keyring is a keyring on a bus of its own. Its methods may be called from any goroutine.
type Keyring struct {
	Address string // of the bus

	conn *dbus.Conn

	mu      sync.Mutex
	items   map[dbus.ObjectPath]Item
	last    int
	locked  bool
	refuse  bool // the user does not unlock it
	prompts int
}

// Item is a secret with what it is found by.
type Item struct {
	Attributes map[string]string
	Password   string
}

// Bus starts a session bus on which nobody is, until the test ends, and returns its address.
func Bus(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, []byte(`<busconfig><type>session</type><listen>unix:path=`+dir+`/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: make setup installs what the tests need", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// Start runs a keyring until the test ends.
func Start(t testing.TB) *Keyring {
	t.Helper()
	k := &Keyring{Address: Bus(t), items: make(map[dbus.ObjectPath]Item)}
	conn, err := dbus.Connect(k.Address, dbus.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	k.conn = conn
	t.Cleanup(func() { conn.Close() })
	k.export(t, service, "Service", map[string]any{"OpenSession": k.openSession, "SearchItems": k.searchItems, "Unlock": k.unlock, "ReadAlias": k.readAlias})
	k.export(t, collection, "Collection", map[string]any{"CreateItem": k.createItem})
	k.export(t, prompt, "Prompt", map[string]any{"Prompt": k.prompt})
	if reply, err := conn.RequestName("org.freedesktop.secrets", 0); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(reply, err)
	}
	return k
}

func (k *Keyring) export(t testing.TB, path dbus.ObjectPath, name string, methods map[string]any) {
	t.Helper()
	if err := k.conn.ExportMethodTable(methods, path, interfaces+name); err != nil {
		t.Fatal(err)
	}
}

// Lock locks the keyring until the user unlocks it when asked, or refuses to.
func (k *Keyring) Lock(refuse bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.locked, k.refuse = true, refuse
}

// Prompts tells how often the user was asked.
func (k *Keyring) Prompts() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.prompts
}

// Items returns what is kept.
func (k *Keyring) Items() (list []Item) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, item := range k.items {
		list = append(list, item)
	}
	return list
}

// Add keeps a secret, as another program would.
func (k *Keyring) Add(item Item) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, err := k.add(item)
	return err
}

// add is Add; k.mu is held.
func (k *Keyring) add(item Item) (dbus.ObjectPath, error) {
	k.last++
	path := dbus.ObjectPath(fmt.Sprintf("%s/%d", collection, k.last))
	err := k.conn.ExportMethodTable(map[string]any{
		"GetSecret": func(session dbus.ObjectPath) (Secret, *dbus.Error) { return k.getSecret(path, session) },
		"Delete":    func() (dbus.ObjectPath, *dbus.Error) { return k.delete(path) },
	}, path, interfaces+"Item")
	if err != nil {
		return "", err
	}
	err = k.conn.ExportMethodTable(map[string]any{
		"Get": func(_, property string) (dbus.Variant, *dbus.Error) { return dbus.MakeVariant(item.Attributes), nil },
	}, path, "org.freedesktop.DBus.Properties")
	k.items[path] = item
	return path, err
}

// Secret is how the interface writes a secret.
type Secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

func refusal(what string) *dbus.Error {
	return dbus.NewError(interfaces+"Error."+what, []any{"the keyring says: " + what})
}

func (k *Keyring) openSession(algorithm string, _ dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	if algorithm != "plain" {
		return dbus.Variant{}, nothing, dbus.NewError("org.freedesktop.DBus.Error.NotSupported", nil)
	}
	return dbus.MakeVariant(""), session, nil
}

func (k *Keyring) searchItems(attributes map[string]string) (unlocked, locked []dbus.ObjectPath, _ *dbus.Error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := []dbus.ObjectPath{}
	for path, item := range k.items {
		matches := true
		for name, value := range attributes {
			matches = matches && item.Attributes[name] == value
		}
		if matches {
			found = append(found, path)
		}
	}
	if k.locked {
		return []dbus.ObjectPath{}, found, nil
	}
	return found, []dbus.ObjectPath{}, nil
}

func (k *Keyring) readAlias(string) (dbus.ObjectPath, *dbus.Error) { return collection, nil }

func (k *Keyring) unlock(objects []dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked {
		return []dbus.ObjectPath{}, prompt, nil
	}
	return objects, nothing, nil
}

func (k *Keyring) prompt(string) *dbus.Error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.prompts++
	k.locked = k.refuse
	k.conn.Emit(prompt, interfaces+"Prompt.Completed", k.refuse, dbus.MakeVariant([]dbus.ObjectPath{}))
	return nil
}

func (k *Keyring) createItem(properties map[string]dbus.Variant, s Secret, replace bool) (dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked {
		return nothing, nothing, refusal("IsLocked")
	}
	attributes, _ := properties[interfaces+"Item.Attributes"].Value().(map[string]string)
	for path, item := range k.items {
		if replace && maps.Equal(item.Attributes, attributes) {
			delete(k.items, path)
		}
	}
	path, err := k.add(Item{attributes, string(s.Value)})
	if err != nil {
		return nothing, nothing, dbus.MakeFailedError(err)
	}
	return path, nothing, nil
}

func (k *Keyring) getSecret(path, of dbus.ObjectPath) (Secret, *dbus.Error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	item, ok := k.items[path]
	switch {
	case k.locked:
		return Secret{}, refusal("IsLocked")
	case of != session:
		return Secret{}, refusal("NoSession")
	case !ok:
		return Secret{}, refusal("NoSuchObject")
	}
	return Secret{Session: of, Parameters: []byte{}, Value: []byte(item.Password), ContentType: "text/plain"}, nil
}

func (k *Keyring) delete(path dbus.ObjectPath) (dbus.ObjectPath, *dbus.Error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.items, path)
	return nothing, nil
}
