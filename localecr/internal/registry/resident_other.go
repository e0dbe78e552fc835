//go:build !linux

package registry

import bolt "go.etcd.io/bbolt"

// trim does nothing: other systems take mapped pages back when they need memory.
func (*Store) trim(*bolt.Tx) {}

func (*Store) forget(*bolt.Tx) {}
