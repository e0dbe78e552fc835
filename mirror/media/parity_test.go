package media

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// protected exports a set with parity, and returns its files.
func protected(t *testing.T, share float64, partSize int64) (dir string, s Set, want map[string][]byte) {
	t.Helper()
	w, c := newWorld(t)
	dir = t.TempDir()
	s, err := Export(t.Context(), c, w, dir, ExportOptions{PartSize: partSize, Parity: share})
	check(t, err)
	return dir, s, readAll(t, dir)
}

func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		found[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
		check(t, err)
	}
	return found
}

// same returns an error unless the directory has exactly these files.
func same(t *testing.T, dir string, want map[string][]byte) {
	t.Helper()
	got := readAll(t, dir)
	for name := range got {
		if want[name] == nil {
			t.Errorf("%s was left behind", name)
		}
	}
	for name, data := range want {
		if !bytes.Equal(got[name], data) {
			t.Errorf("%s is not as it was", name)
		}
	}
}

// damages are what can happen to a file.
var damages = map[string]func(t *testing.T, path string, random *rand.Rand){
	"missing": func(t *testing.T, path string, _ *rand.Rand) { check(t, os.Remove(path)) },
	"short": func(t *testing.T, path string, random *rand.Rand) {
		info, err := os.Stat(path)
		check(t, err)
		check(t, os.Truncate(path, random.Int64N(info.Size())))
	},
	"empty": func(t *testing.T, path string, _ *rand.Rand) { check(t, os.Truncate(path, 0)) },
	"longer": func(t *testing.T, path string, _ *rand.Rand) {
		info, err := os.Stat(path)
		check(t, err)
		check(t, os.Truncate(path, info.Size()+1))
	},
	"a bit": func(t *testing.T, path string, random *rand.Rand) {
		info, err := os.Stat(path)
		check(t, err)
		flip(t, path, random.Int64N(info.Size()), 1<<random.IntN(8))
	},
	"shifted": func(t *testing.T, path string, _ *rand.Rand) {
		data, err := os.ReadFile(path)
		check(t, err)
		check(t, os.WriteFile(path, append(data[1:], data[0]), 0o666))
	},
}

// repairEach damages the files of a set, one after the other: each is named, and rebuilt byte for byte.
// which chooses the damage of a file.
func repairEach(t *testing.T, which func(file, kind int) bool) {
	dir, s, want := protected(t, 0.4, 1<<20)
	if len(s.Parts) != 4 || len(s.Parity.Parts) != 2 {
		t.Fatalf("%d parts, %d with parity", len(s.Parts), len(s.Parity.Parts))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i, name := range slices.Sorted(maps.Keys(want)) {
		for j, kind := range slices.Sorted(maps.Keys(damages)) {
			if !which(i, j) {
				continue
			}
			damages[kind](t, filepath.Join(dir, name), random)
			if _, err := Verify(t.Context(), dir, ReadOptions{}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
			_, repaired, err := Repair(t.Context(), dir, ReadOptions{})
			if err != nil || !slices.Equal(repaired, []string{name}) {
				t.Errorf("%s, %s: rebuilt %v, %v", name, kind, repaired, err)
			}
			same(t, dir, want)
			if t.Failed() {
				return
			}
		}
	}
	if _, repaired, err := Repair(t.Context(), dir, ReadOptions{}); err != nil || len(repaired) > 0 {
		t.Errorf("an intact set: %v, %v", repaired, err)
	}
}

func TestRepair(t *testing.T) {
	t.Parallel()
	repairEach(t, func(file, kind int) bool { return file%len(damages) == kind })
}

// TestRepairSums loses the sums of the blocks and their copy: they are computed again, unless a part is
// damaged too.
func TestRepairSums(t *testing.T) {
	t.Parallel()
	dir, s, want := protected(t, 0.1, 0)
	lose := func() {
		for _, name := range []string{paritySumsFile, paritySumsCopy} {
			check(t, os.Remove(filepath.Join(dir, name)))
		}
	}
	lose()
	if _, repaired, err := Repair(t.Context(), dir, ReadOptions{}); err != nil || !slices.Equal(repaired, []string{paritySumsFile, paritySumsCopy}) {
		t.Errorf("%v, %v", repaired, err)
	}
	same(t, dir, want)
	lose()
	flip(t, filepath.Join(dir, s.Parts[0].Name), 7, 1)
	if _, repaired, err := Repair(t.Context(), dir, ReadOptions{}); !errors.Is(err, content.ErrIntegrity) || len(repaired) > 0 || !strings.Contains(err.Error(), "without the sums") {
		t.Errorf("%v, %v", repaired, err)
	}
}

// repairFlips flips 50 bits in all files of a set at once, several times: all are rebuilt.
func repairFlips(t *testing.T, rounds int) {
	dir, s, want := protected(t, 0.1, 1<<20)
	random := rand.New(rand.NewPCG(3, 4))
	files := s.Files()
	for range rounds {
		hit := map[string]bool{}
		for range 50 {
			p := files[random.IntN(len(files))]
			hit[p.Name] = true
			flip(t, filepath.Join(dir, p.Name), random.Int64N(p.Size), 1<<random.IntN(8))
		}
		_, err := Verify(t.Context(), dir, ReadOptions{})
		for name := range hit {
			if !strings.Contains(fmt.Sprint(err), "part "+name+":") {
				t.Errorf("%s is not named: %v", name, err)
			}
		}
		_, repaired, err := Repair(t.Context(), dir, ReadOptions{})
		if err != nil || len(repaired) != len(hit) {
			t.Errorf("%d files of %d: %v", len(repaired), len(hit), err)
		}
		same(t, dir, want)
	}
}

func TestRepairFlips(t *testing.T) {
	t.Parallel()
	repairFlips(t, 1)
}

// TestBeyondParity loses more than the parity can rebuild: no file is touched that cannot be rebuilt, and
// the error says how much is lost.
func TestBeyondParity(t *testing.T) {
	t.Parallel()
	dir, s, want := protected(t, 0.05, 1<<20)
	for _, p := range s.Parts[:2] {
		check(t, os.Remove(filepath.Join(dir, p.Name)))
		delete(want, p.Name)
	}
	flip(t, filepath.Join(dir, s.Parts[3].Name), 5, 1) // in a place that one more lost block would be too much for
	want[s.Parts[3].Name] = readAll(t, dir)[s.Parts[3].Name]
	_, repaired, err := Repair(t.Context(), dir, ReadOptions{})
	if !errors.Is(err, content.ErrIntegrity) || len(repaired) > 0 || strings.Count(err.Error(), "are lost") != 3 {
		t.Errorf("%v: %v", repaired, err)
	}
	same(t, dir, want)

	dir, s, _ = protected(t, 0, 1<<20)
	check(t, os.Remove(filepath.Join(dir, s.Parts[0].Name)))
	if _, _, err := Repair(t.Context(), dir, ReadOptions{}); err == nil || !strings.Contains(err.Error(), s.Parts[0].Name) || !strings.Contains(err.Error(), "without parity") {
		t.Error(err)
	}
}

// TestParityLater adds parity to a set that is complete, and another one afterwards.
func TestParityLater(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	dir := t.TempDir()
	for _, share := range []float64{0, 0.1, 0.2, 0.2, 0} {
		s, err := Export(t.Context(), c, w, dir, ExportOptions{PartSize: 1 << 20, Parity: share})
		check(t, err)
		if share > 0 && float64(s.Parity.ParityShards) < share*float64(s.Parity.DataShards) {
			t.Errorf("%v: %+v", share, s.Parity)
		}
		_, err = Verify(t.Context(), dir, ReadOptions{})
		check(t, err)
	}
	// What is written again has no signature of what was there before.
	check(t, os.WriteFile(filepath.Join(dir, SignatureFile), []byte("old"), 0o666))
	_, err := Export(t.Context(), c, w, dir, ExportOptions{PartSize: 1 << 20, Parity: 0.3})
	check(t, err)
	if _, err := os.Stat(filepath.Join(dir, SignatureFile)); err == nil {
		t.Error("the signature of another description was left")
	}
	if _, err := Export(t.Context(), c, w, dir, ExportOptions{Parity: 1.1}); !errors.Is(err, content.ErrUnsupported) {
		t.Error(err)
	}
}

// TestSignedSet reads nothing of a set that is not signed as it has to be.
func TestSignedSet(t *testing.T) {
	t.Parallel()
	dir, s, _ := protected(t, 0.1, 0)
	untrusted := errors.New("untrusted")
	var seen []byte
	opts := ReadOptions{Verify: func(set, signature []byte) error {
		seen = set
		if string(signature) != "signature" {
			return untrusted
		}
		return nil
	}}
	for range 2 {
		if _, err := Open(dir, opts); !errors.Is(err, untrusted) {
			t.Error(err)
		}
		if _, err := Verify(t.Context(), dir, opts); !errors.Is(err, untrusted) {
			t.Error(err)
		}
		if _, _, err := Repair(t.Context(), dir, opts); !errors.Is(err, untrusted) {
			t.Error(err)
		}
		check(t, os.WriteFile(filepath.Join(dir, SignatureFile), []byte("another"), 0o666))
	}
	check(t, os.WriteFile(filepath.Join(dir, SignatureFile), []byte("signature"), 0o666))
	got, err := Verify(t.Context(), dir, opts)
	if err != nil || got.ID != s.ID || !bytes.Equal(seen, readAll(t, dir)[SetFile]) {
		t.Errorf("%v, %v", got.ID, err)
	}
	// A description that is damaged is not used, although its copy is right.
	flip(t, filepath.Join(dir, SetFile), 0, 1)
	if _, repaired, err := Repair(t.Context(), dir, opts); err != nil || !slices.Equal(repaired, []string{SetFile}) {
		t.Errorf("%v, %v", repaired, err)
	}
}
