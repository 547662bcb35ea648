package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"
)

// config is a file of settings: some for all mounts, some for those of a profile.
type config struct {
	file     string // "" there is none
	open     bool   // others may read it
	settings []setting
	profiles map[string]profile
}

// profile is a server with its settings, which ftpfs NAME: mounts.
type profile struct {
	URL      string
	settings []setting
}

const (
	configEnv    = "FTPFS_CONFIG" // names the file in place of the usual one
	systemConfig = "/etc/ftpfs/config.toml"
)

// configFile is the file that counts; "" if there is none.
func configFile(getenv func(string) string) string {
	if name := getenv(configEnv); name != "" {
		return name
	}
	dir := getenv("XDG_CONFIG_HOME")
	if home := homeDir(getenv); !filepath.IsAbs(dir) && home != "" {
		dir = filepath.Join(home, ".config")
	}
	for _, name := range []string{filepath.Join(dir, "ftpfs", "config.toml"), systemConfig} {
		if _, err := os.Stat(name); filepath.IsAbs(name) && !errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
	return ""
}

// usualConfigFile is where a user would write one.
func usualConfigFile(getenv func(string) string) string {
	if name := configFile(getenv); name != "" {
		return name
	}
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "ftpfs", "config.toml")
	}
	return filepath.Join(homeDir(getenv), ".config", "ftpfs", "config.toml")
}

// readConfig reads a file; no name is no file. Keys are the names of flags, with - or _.
func readConfig(name string) (config, error) {
	c := config{file: name, profiles: make(map[string]profile)}
	if name == "" {
		return c, nil
	}
	info, err := os.Stat(name)
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o022 != 0 {
		return c, fail(exitUsage, "Others may write to the file of settings %s: run chmod go-w %s.", name, name)
	}
	c.open = err == nil && info.Mode().Perm()&0o044 != 0
	text, err := readText(name)
	if err != nil {
		return c, fail(exitUsage, "The file of settings cannot be read: %w.", err)
	}
	var all map[string]any
	if err := toml.Unmarshal(text, &all); err != nil {
		return c, fail(exitUsage, "The file of settings %s cannot be understood: %w.", name, phrase{err})
	}
	profiles, _ := all["profiles"].(map[string]any)
	if _, given := all["profiles"]; given && profiles == nil {
		return c, c.wrong("profiles", "write a table for each, as [profiles.work]")
	}
	delete(all, "profiles")
	if c.settings, err = c.read("", all); err != nil {
		return c, err
	}
	for name, v := range profiles {
		table, ok := v.(map[string]any)
		if !ok || name == "" || strings.ContainsAny(name, ":/@#") {
			return c, c.wrong("profiles."+name, "a profile is a table, and has no :, /, @ or # in its name")
		}
		p := profile{}
		if p.URL, ok = table["url"].(string); !ok {
			return c, c.wrong("profiles."+name, `it needs a line url = "ftp://…"`)
		}
		if t, err := parseAddress(p.URL); err != nil {
			return c, c.wrong("profiles."+name+".url", strings.TrimSuffix(err.Error(), "."))
		} else if t.HasPassword {
			return c, c.wrong("profiles."+name+".url", "a password does not belong there: name a file with it by credentials")
		}
		delete(table, "url")
		if p.settings, err = c.read("profiles."+name+".", table); err != nil {
			return c, err
		}
		c.profiles[name] = p
	}
	return c, nil
}

// read takes the settings out of a table, sorted by name.
func (c config) read(prefix string, table map[string]any) ([]setting, error) {
	var f flags
	known := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.registerSettings(known)
	var list []setting
	for key, v := range table {
		flag := known.Lookup(key)
		if flag == nil {
			if key == "password" {
				return nil, c.wrong(prefix+key, "a password does not belong there: name a file with it by credentials")
			}
			return nil, c.wrong(prefix+key, "there is no such flag."+nearest(known, key))
		}
		text, err := settingText(v)
		if flag.Name == "proxy" && c.open && strings.Contains(text, "@") {
			return nil, c.wrong(prefix+key, "others may read its password: run chmod go-r "+c.file)
		}
		if err == nil {
			err = cause(known.Set(flag.Name, text))
		}
		if err != nil {
			return nil, c.wrong(prefix+key, strings.TrimSuffix(err.Error(), "."))
		}
		list = append(list, setting{flag.Name, text})
	}
	slices.SortFunc(list, func(a, b setting) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// settingText is a value of TOML as a flag has it; a list is one with commas.
func settingText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, int64, float64:
		return fmt.Sprint(v), nil
	case []any:
		var texts []string
		for _, item := range v {
			text, err := settingText(item)
			if err != nil {
				return "", err
			}
			texts = append(texts, text)
		}
		return strings.Join(texts, ","), nil
	}
	return "", errors.New("write a string, a number, true or false")
}

func (c config) wrong(key, why string) error {
	return fail(exitUsage, "In the file of settings %s, %s is wrong: %s.", c.file, key, strings.TrimSuffix(why, "."))
}

// find returns the profile that an address names, as in NAME: or NAME:dir, and the address
// that it means. Other addresses stay what they are.
func (c config) find(address string) (p profile, name, meant string) {
	name, dir, ok := strings.Cut(address, ":")
	if p, known := c.profiles[name]; ok && known && !strings.HasPrefix(dir, "//") {
		return p, name, within(p.URL, dir)
	}
	return profile{}, "", address
}

// within is the address of a directory below that of a profile.
func within(address, dir string) string {
	if dir == "" {
		return address
	}
	t, err := parseAddress(address)
	if err != nil {
		return address // which was parsed before
	}
	return strings.TrimSuffix(t.String(), "/") + "/" + url.PathEscape(strings.TrimLeft(dir, "/"))
}

// envName is the variable that stands for a flag.
func envName(flag string) string {
	return "FTPFS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// origin is where the value of a flag comes from.
type origin uint8

const (
	fromDefault origin = iota
	fromFile
	fromProfile
	fromEnvironment
	fromFlag
)

func (o origin) String() string {
	return [...]string{"default", "file", "profile", "environment", "flag"}[o]
}

// settle sets the flags that were not given from what comes next: the environment, the
// profile, the settings for all mounts. It returns where those that are set come from. Flags
// that a command does not have are passed over.
func (c config) settle(given *pflag.FlagSet, p profile, getenv func(string) string) (map[string]origin, error) {
	from := make(map[string]origin)
	given.Visit(func(flag *pflag.Flag) { from[flag.Name] = fromFlag })
	set := func(name, text string, o origin) error {
		if flag := given.Lookup(name); flag == nil || !isSetting(name) || from[name] != fromDefault {
			return nil
		}
		from[name] = o
		return cause(given.Set(name, text))
	}
	var names []string
	given.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	for _, name := range names {
		if text := getenv(envName(name)); text != "" {
			if err := set(name, text, fromEnvironment); err != nil {
				return nil, fail(exitUsage, "The variable %s is wrong: %w.", envName(name), err)
			}
		}
	}
	for _, layer := range []struct {
		settings []setting
		origin   origin
	}{{p.settings, fromProfile}, {c.settings, fromFile}} {
		for _, s := range layer.settings {
			if err := set(s.Name, s.Value, layer.origin); err != nil {
				return nil, c.wrong(s.Name, err.Error())
			}
		}
	}
	return from, nil
}

// resolve reads what an address means, which may be the name of a profile, and completes
// the flags that were given.
func (f *flags) resolve(given *pflag.FlagSet, address string, getenv func(string) string) (target, error) {
	c, err := readConfig(configFile(getenv))
	if err != nil {
		return target{}, err
	}
	p, _, meant := c.find(address)
	if _, err := c.settle(given, p, getenv); err != nil {
		return target{}, err
	}
	t, err := parseAddress(meant)
	if err == nil {
		f.setPort(&t)
	}
	return t, err
}

// profileNames are what completion offers.
func profileNames() (names []string) {
	c, err := readConfig(configFile(os.Getenv))
	if err != nil {
		return nil
	}
	for name := range c.profiles {
		names = append(names, name+":")
	}
	slices.Sort(names)
	return names
}
