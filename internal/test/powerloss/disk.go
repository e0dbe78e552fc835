package powerloss

import (
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sector is what a disk writes as a whole, in bytes.
const sector = 512

// A State is what is on the disk after a loss of power, and which answers the program had sent before.
type State struct {
	Answered map[string]bool
	files    map[string]*node // by relative path
}

// A node is a file or, with names, a directory.
type node struct {
	names   map[string]*node
	data    []byte
	pending []change // what was done since the last sync
}

// A change is one of which a disk may have done a part.
type change struct {
	at   int // number of its event
	do   func(*node)
	torn func(n *node, r *rand.Rand) // does a part; nil if there are none
}

func newDir() *node { return &node{names: map[string]*node{}} }

// Chance decides which changes that were not synced are on the disk.
type Chance int

const (
	Nothing Chance = iota // none of them
	InOrder               // all of them: as if the program was killed
	Any                   // any, in part
)

// At is a state after a number of events.
func (h *History) At(moment int, chance Chance, r *rand.Rand) State {
	m := &machine{root: newDir(), durable: newDir(), ends: map[*node]int64{}, answers: map[string]bool{}}
	m.now = map[*node]*node{m.durable: m.root}
	for i, e := range h.events[:moment] {
		m.apply(i, e)
	}
	state := State{Answered: m.answers, files: map[string]*node{}}
	collect(settle(m.durable, chance, r, map[*node]*node{}), ".", state.files)
	return state
}

// settle decides what is on the disk of a node and all below it.
func settle(n *node, chance Chance, r *rand.Rand, done map[*node]*node) *node {
	if out := done[n]; out != nil {
		return out
	}
	out := &node{data: slices.Clone(n.data), names: maps.Clone(n.names)}
	done[n] = out
	// Often the disk has done all but one, or one alone: the cases that an assumption about order is about.
	odds := []float64{0.5, 0.1, 0.9}[r.IntN(3)]
	for _, c := range n.pending {
		switch {
		case chance == Nothing:
		case chance == InOrder || r.Float64() < odds:
			c.do(out)
		case c.torn != nil && r.IntN(2) == 0:
			c.torn(out, r)
		}
	}
	for name, child := range out.names {
		out.names[name] = settle(child, chance, r, done)
	}
	return out
}

func collect(n *node, at string, into map[string]*node) {
	into[at] = n
	for name, child := range n.names {
		collect(child, path.Join(at, name), into)
	}
}

// Write writes the state to an empty directory.
func (s State) Write(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		n, to := s.files[name], filepath.Join(dir, name)
		var err error
		if n.names != nil {
			err = os.MkdirAll(to, 0o700)
		} else {
			err = os.WriteFile(to, n.data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A machine is the disk and what the program sees of it. A node of the disk stands for one file or directory for good; the
// program's view of a directory is the node with all that is pending.
type machine struct {
	root    *node           // unused but as the view of the directory
	durable *node           // the directory on the disk
	now     map[*node]*node // view of each directory
	ends    map[*node]int64 // where the next write of a file goes
	answers map[string]bool
}

// find returns the directory that has a path, the last element, and what is there.
func (m *machine) find(name string) (dir *node, base string, n *node) {
	dir = m.durable
	if name == "." {
		return nil, "", dir
	}
	elements := strings.Split(name, "/")
	for _, element := range elements[:len(elements)-1] {
		if dir = m.now[dir].names[element]; dir == nil || m.now[dir] == nil {
			return nil, "", nil
		}
	}
	base = elements[len(elements)-1]
	return dir, base, m.now[dir].names[base]
}

// enter puts a node, nil for none, under a name of a directory.
func (m *machine) enter(i int, dir *node, base string, n *node) {
	do := func(d *node) {
		if n == nil {
			delete(d.names, base)
		} else {
			d.names[base] = n
		}
	}
	do(m.now[dir])
	dir.pending = append(dir.pending, change{at: i, do: do})
}

func (m *machine) apply(i int, e event) {
	if e.kind == answered {
		m.answers[e.path] = true
		return
	}
	dir, base, n := m.find(e.path)
	switch e.kind {
	case created:
		if n == nil && dir != nil {
			m.enter(i, dir, base, &node{})
		}
	case madeDir:
		made := newDir()
		m.now[made] = newDir()
		m.enter(i, dir, base, made)
	case linked, renamed:
		to, toBase, _ := m.find(e.to)
		m.enter(i, to, toBase, n)
		if e.kind == renamed {
			m.enter(i, dir, base, nil)
		}
	case removed:
		m.enter(i, dir, base, nil)
	case truncated:
		if n != nil {
			m.ends[n] = e.size
			n.pending = append(n.pending, change{at: i, do: func(n *node) { n.resize(e.size) }})
		}
	case written:
		if n == nil {
			return // it has no name any more, and never gets one again
		}
		offset := e.offset
		if offset == atEnd {
			offset = m.ends[n]
			m.ends[n] += int64(len(e.data))
		}
		n.pending = append(n.pending, writeAt(i, offset, e.data))
	case copied:
		_, _, to := m.find(e.to)
		live := &node{data: slices.Clone(n.data)}
		for _, c := range n.pending {
			c.do(live)
		}
		if int64(len(live.data)) != e.size {
			panic("a copy of a part of " + e.path) // where it begins is not recorded
		}
		to.pending = append(to.pending, writeAt(i, m.ends[to], string(live.data)))
		m.ends[to] += e.size
	case synced:
		if n != nil {
			n.settled(e.before)
		}
	}
}

// settled makes the changes that are older than event number before last.
func (n *node) settled(before int) {
	var rest []change
	for _, c := range n.pending {
		if c.at < before {
			c.do(n)
		} else {
			rest = append(rest, c)
		}
	}
	n.pending = rest
}

func (n *node) resize(size int64) {
	if int64(len(n.data)) > size {
		n.data = n.data[:size:size]
	}
	n.data = append(n.data, make([]byte, size-int64(len(n.data)))...)
}

func (n *node) write(offset int64, data string) {
	if end := offset + int64(len(data)); end > int64(len(n.data)) {
		n.resize(end)
	}
	copy(n.data[offset:], data)
}

// writeAt is a write, of which a disk may have done any of its sectors.
func writeAt(i int, offset int64, data string) change {
	return change{
		at: i,
		do: func(n *node) { n.write(offset, data) },
		torn: func(n *node, r *rand.Rand) {
			for begin := 0; begin < len(data); {
				end := min(len(data), begin+sector-int((offset+int64(begin))%sector))
				if r.IntN(2) == 0 {
					n.write(offset+int64(begin), data[begin:end])
				}
				begin = end
			}
		},
	}
}
