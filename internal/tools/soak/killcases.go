//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/opencontainers/go-digest"
)

// killCases are the operations that are killed.
func killCases() []killCase {
	cases := []killCase{
		pushCase("push, native", func(k *killing) []string { return []string{"push", "--upload", "native", "oci:" + k.new.dir} }),
		pushCase("push, v2", func(k *killing) []string { return []string{"push", "--upload", "v2", "oci:" + k.new.dir} }),
		packedCase(),
		copyCase(),
		layoutCase("pull to layout", func(k *killing) string { return k.image("app", fmt.Sprint(k.n)) }),
		layoutCase("copy, layout to layout", func(k *killing) string { return "oci:" + k.new.dir }),
		archiveCase(),
		dockerCase(),
	}
	return append(cases, signCases()...)
}

// quiet are the flags of all runs that are killed.
var quiet = []string{"--progress", "none", "--connections", "2"}

// pushCase moves the tag app:x from one image to the next.
func pushCase(name string, args func(k *killing) []string) killCase {
	var before digest.Digest
	return killCase{
		name: name,
		prepare: func(k *killing) error {
			if err := k.makeImages(); err != nil {
				return err
			}
			before = k.old.digest
			return k.must(append([]string{"push", "oci:" + k.old.dir, k.image("app", "x")}, quiet...)...)
		},
		renew: func(k *killing) error {
			if k.new != nil {
				before = k.new.digest
			}
			return k.makeImages()
		},
		args: func(k *killing) []string { return append(append(args(k), k.image("app", "x")), quiet...) },
		held: func(k *killing, acknowledged bool) error { return k.tagHeld("app", before, acknowledged) },
		done: func(k *killing) error { return k.has("app", "x", k.new) },
	}
}

// tagHeld checks that the tag x names the image before or, whole, the new one.
func (k *killing) tagHeld(repository string, before digest.Digest, acknowledged bool) error {
	d, err := k.tagged(repository, "x")
	switch {
	case err != nil:
		return err
	case d == k.new.digest:
		return k.has(repository, "x", k.new)
	case acknowledged:
		return fmt.Errorf("%s:x is %q, and not the acknowledged %s", repository, d, k.new.digest)
	case d != before:
		return fmt.Errorf("%s:x is %q, neither %s nor %s", repository, d, before, k.new.digest)
	}
	return nil
}

// packedCase pushes what docker save has written and gzip has compressed.
func packedCase() killCase {
	file := func(k *killing) string { return k.path("packed.tar.gz") }
	c := pushCase("push of docker-archive, tar.gz", func(k *killing) []string { return []string{"push", "docker-archive:" + file(k)} })
	renew := c.renew
	c.renew = func(k *killing) error {
		if err := renew(k); err != nil {
			return err
		}
		plain := k.path("packed.tar")
		for _, path := range []string{plain, file(k)} {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
		if err := k.must(append([]string{"copy", "oci:" + k.new.dir, "docker-archive:" + plain + ":app:x"}, quiet...)...); err != nil {
			return err
		}
		return exec.Command("gzip", "-1", plain).Run()
	}
	return c
}

// copyCase copies from one repository to another, in which the tag x moves.
func copyCase() killCase {
	var before digest.Digest
	return killCase{
		name: "copy, repository to repository",
		prepare: func(k *killing) error {
			if err := k.makeImages(); err != nil {
				return err
			}
			before = k.old.digest
			return k.must(append([]string{"push", "oci:" + k.old.dir, k.image("other", "x")}, quiet...)...)
		},
		renew: func(k *killing) error {
			if k.new != nil {
				before = k.new.digest
			}
			if err := k.makeImages(); err != nil {
				return err
			}
			return k.must(append([]string{"push", "oci:" + k.new.dir, k.image("app", fmt.Sprint(k.n))}, quiet...)...)
		},
		args: func(k *killing) []string {
			return append([]string{"copy", k.image("app", fmt.Sprint(k.n)), k.image("other", "x")}, quiet...)
		},
		held: func(k *killing, acknowledged bool) error { return k.tagHeld("other", before, acknowledged) },
		done: func(k *killing) error { return k.has("other", "x", k.new) },
	}
}

// layoutCase writes the tag x into a layout that holds the image old.
func layoutCase(name string, source func(k *killing) string) killCase {
	dst := func(k *killing) string { return k.path("out", "dst") }
	return killCase{
		name:    name,
		prepare: func(k *killing) error { return k.makeImages() },
		renew: func(k *killing) error {
			if k.new == nil || k.n%10 == 0 {
				if err := k.makeImages(); err != nil {
					return err
				}
			}
			if err := k.pushAs(fmt.Sprint(k.n)); err != nil {
				return err
			}
			if err := os.RemoveAll(dst(k)); err != nil {
				return err
			}
			return k.must(append([]string{"copy", "oci:" + k.old.dir, "oci:" + dst(k) + ":old"}, quiet...)...)
		},
		args: func(k *killing) []string {
			return append([]string{"copy", source(k), "oci:" + dst(k) + ":x"}, quiet...)
		},
		held: func(k *killing, acknowledged bool) error {
			if err := noBadBlob(dst(k)); err != nil {
				return err
			}
			return k.archiveHeld(layoutFiles(dst(k)), acknowledged)
		},
		done: func(k *killing) error { return k.archiveHeld(layoutFiles(dst(k)), true) },
		left: func(k *killing) []string { return k.leftovers("dst") },
	}
}

// pushAs has the new image in the repository app.
func (k *killing) pushAs(tag string) error {
	return k.must(append([]string{"push", "oci:" + k.new.dir, k.image("app", tag)}, quiet...)...)
}

// archiveHeld checks that a layout has the image old and, if it has the tag x, the new one.
func (k *killing) archiveHeld(read reader, acknowledged bool) error {
	if err := holds(read, "old", k.old); err != nil {
		return err
	}
	tags, err := tagsOf(read)
	if err != nil {
		return err
	}
	if _, ok := tags["x"]; ok || acknowledged {
		return holds(read, "x", k.new)
	}
	return nil
}

// archiveCase writes the tag x into an OCI archive that holds the image old.
func archiveCase() killCase {
	file := func(k *killing) string { return k.path("out", "a.tar") }
	read := func(k *killing, acknowledged bool) error {
		files, err := tarFiles(file(k))
		if err != nil {
			return err
		}
		return k.archiveHeld(files, acknowledged)
	}
	c := layoutCase("pull to oci-archive", nil)
	c.renew = func(k *killing) error {
		if k.new == nil || k.n%10 == 0 {
			if err := k.makeImages(); err != nil {
				return err
			}
		}
		if err := errors.Join(k.pushAs(fmt.Sprint(k.n)), os.RemoveAll(file(k))); err != nil {
			return err
		}
		return k.must(append([]string{"copy", "oci:" + k.old.dir, "oci-archive:" + file(k) + ":old"}, quiet...)...)
	}
	c.args = func(k *killing) []string {
		return append([]string{"pull", k.image("app", fmt.Sprint(k.n)), "oci-archive:" + file(k) + ":x"}, quiet...)
	}
	c.held = read
	c.done = func(k *killing) error { return read(k, true) }
	c.left = func(k *killing) []string { return k.leftovers("a.tar") }
	return c
}

// dockerCase replaces the image of a docker archive by another one of the same name.
func dockerCase() killCase {
	file := func(k *killing) string { return k.path("out", "a.tar") }
	c := archiveCase()
	c.name = "pull to docker-archive"
	c.renew = func(k *killing) error {
		if k.new == nil || k.n%10 == 0 {
			if err := k.makeImages(); err != nil {
				return err
			}
		}
		if err := errors.Join(k.pushAs(fmt.Sprint(k.n)), os.RemoveAll(file(k))); err != nil {
			return err
		}
		return k.must(append([]string{"copy", "oci:" + k.old.dir, "docker-archive:" + file(k) + ":app:x"}, quiet...)...)
	}
	c.args = func(k *killing) []string {
		return append([]string{"pull", k.image("app", fmt.Sprint(k.n)), "docker-archive:" + file(k) + ":app:x"}, quiet...)
	}
	c.held = func(k *killing, acknowledged bool) error {
		err := dockerHolds(file(k), k.new)
		if err != nil && !acknowledged {
			err = dockerHolds(file(k), k.old)
		}
		return err
	}
	c.done = func(k *killing) error { return dockerHolds(file(k), k.new) }
	return c
}

// keyPair makes a key pair in the site's directory and returns its path without extension. The key is not
// encrypted: to decrypt it would take most of the time of signing.
func (st *site) keyPair() (string, error) {
	path := st.path("key")
	if _, err := os.Stat(path + ".key"); err == nil {
		return path, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", err
	}
	return path, errors.Join(
		os.WriteFile(path+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
		os.WriteFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o666))
}
