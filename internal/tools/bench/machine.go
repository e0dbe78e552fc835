//go:build linux

package main

import (
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// machine is where it was measured.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"` // bytes
	System string `json:"system"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Files  string `json:"files"` // kind of the file system of inputs, stores and layouts
}

// thisMachine describes this one. What is not known is "unknown" or 0.
func thisMachine(dir string) machine {
	m := machine{
		CPU:    field("/proc/cpuinfo", `(?m)^model name\s*:\s*(.+)$`),
		Cores:  runtime.NumCPU(),
		System: field("/etc/os-release", `(?m)^PRETTY_NAME="?([^"\n]+)`),
		Kernel: field("/proc/sys/kernel/osrelease", `(.+)`),
		Go:     strings.TrimPrefix(runtime.Version(), "go"),
		Files:  fileSystem(dir),
	}
	if kib, err := strconv.ParseInt(field("/proc/meminfo", `(?m)^MemTotal:\s*(\d+) kB`), 10, 64); err == nil {
		m.Memory = kib << 10
	}
	return m
}

func field(path, pattern string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	match := regexp.MustCompile(pattern).FindStringSubmatch(string(data))
	if match == nil {
		return "unknown"
	}
	return strings.TrimSpace(match[1])
}

// fileSystem names the kind of file system that has dir, from statfs(2).
func fileSystem(dir string) string {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return "unknown"
	}
	switch uint32(stat.Type) {
	case 0xEF53:
		return "ext4"
	case 0x01021994:
		return "tmpfs"
	case 0x9123683E:
		return "btrfs"
	case 0x58465342:
		return "xfs"
	case 0x794C7630:
		return "overlayfs"
	}
	return "unknown"
}
