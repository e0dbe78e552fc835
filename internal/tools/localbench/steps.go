//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The repositories of the first store.
const (
	largeRepository = "large"
	smallRepository = "small"
)

// pushes fills the large and the small repository and prints how fast that was, from the first to the last tenth.
func (b *bench) pushes(ctx context.Context) (err error) {
	p, err := b.start(ctx, b.imagesDir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	c := newClient(p.url, b.clients)
	m, err := c.newRepository(ctx, smallRepository)
	if err != nil {
		return err
	}
	for i := range small {
		if err := c.put(ctx, smallRepository, m, i); err != nil {
			return err
		}
	}
	if m, err = c.newRepository(ctx, largeRepository); err != nil {
		return err
	}
	b.printf("| PutImage, images before | Rate | Memory after |\n|---|---|---|\n")
	tenth := b.images / 10
	for begin := 0; begin < b.images; begin += tenth {
		n := min(tenth, b.images-begin)
		r, err := b.measureRate(ctx, p, n, func(ctx context.Context, i int) error { return c.put(ctx, largeRepository, m, begin+i) })
		if err != nil {
			return err
		}
		used, err := p.memory()
		if err != nil {
			return err
		}
		b.printf("| %d | %v | %v |\n", begin, r, used)
	}
	b.printf("\n")
	return nil
}

// lists prints how long pages of DescribeImages take.
func (b *bench) lists(ctx context.Context) error {
	return b.measured(ctx, b.imagesDir(), "DescribeImages", []row{
		{fmt.Sprintf("%d images", small), list{"DescribeImages", input{"repositoryName": smallRepository}}},
		{fmt.Sprintf("%d images", b.images), list{"DescribeImages", input{"repositoryName": largeRepository}}},
	})
}

// A row is a list whose pages are measured.
type row struct {
	name string
	list list
}

// measured prints the pages of lists, and the memory after them, of a server that was started for it.
func (b *bench) measured(ctx context.Context, dir, title string, rows []row) (err error) {
	p, err := b.start(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	c := newClient(p.url, b.clients)
	var lists []list
	for _, r := range rows {
		lists = append(lists, r.list)
	}
	took, err := c.pages(ctx, lists...)
	if err != nil {
		return err
	}
	used, err := p.memory()
	if err != nil {
		return err
	}
	b.printf("| %s | First page | Last page | All pages |\n|---|---|---|---|\n", title)
	for i, r := range rows {
		b.printf("| %s | %s | %s | %s |\n", r.name, ms(took[i].first), ms(took[i].last), ms(took[i].all))
	}
	b.printf("\nMemory after that: %v\n\n", used)
	return nil
}

const previewPolicy = `{"rules":[
	{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["1.0.*7"],"countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}},
	{"rulePriority":2,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":100},"action":{"type":"expire"}}]}`

// previews prints how long the preview of a lifecycle policy takes that expires nearly all images: of a repository with a
// tenth of the images, which it fills, and of the large one.
func (b *bench) previews(ctx context.Context) (err error) {
	p, err := b.start(ctx, b.imagesDir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	c := newClient(p.url, b.clients)
	const tenth = "tenth"
	m, err := c.newRepository(ctx, tenth)
	if err != nil {
		return err
	}
	if err := parallel(ctx, b.clients, b.images/10, func(ctx context.Context, i int) error { return c.put(ctx, tenth, m, i) }); err != nil {
		return err
	}
	b.printf("| Lifecycle preview | StartLifecyclePolicyPreview | First page | Last page | All pages | Memory after |\n|---|---|---|---|---|---|\n")
	for _, r := range []struct {
		repository string
		images     int
	}{{smallRepository, small}, {tenth, b.images / 10}, {largeRepository, b.images}} {
		begin := time.Now()
		if err := c.call(ctx, "StartLifecyclePolicyPreview", input{"repositoryName": r.repository, "lifecyclePolicyText": previewPolicy}, nil); err != nil {
			return err
		}
		took := time.Since(begin)
		result := list{"GetLifecyclePolicyPreview", input{"repositoryName": r.repository}}
		if err := c.previewed(ctx, r.repository); err != nil {
			return err
		}
		pages, err := c.pages(ctx, result)
		if err != nil {
			return err
		}
		used, err := p.memory()
		if err != nil {
			return err
		}
		b.printf("| %d images | %s | %s | %s | %s | %v |\n", r.images, ms(took), ms(pages[0].first), ms(pages[0].last), ms(pages[0].all), used)
	}
	b.printf("\n")
	return nil
}

// previewed waits until the preview of a repository is complete: the server takes its time, as Amazon ECR does.
func (c *client) previewed(ctx context.Context, repository string) error {
	for {
		var out struct{ Status string }
		if err := c.call(ctx, "GetLifecyclePolicyPreview", input{"repositoryName": repository, "maxResults": 1}, &out); err != nil {
			return err
		}
		switch out.Status {
		case "COMPLETE":
			return nil
		case "IN_PROGRESS":
		default:
			return fmt.Errorf("preview of %s: %s", repository, out.Status)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// repositoryLists prints how long it takes to create many repositories, and how long pages of DescribeRepositories take
// with few and with many.
func (b *bench) repositoryLists(ctx context.Context) error {
	made := 0
	create := func(n int) (r rate, err error) {
		p, err := b.start(ctx, b.repositoriesDir())
		if err != nil {
			return rate{}, err
		}
		defer func() { err = errors.Join(err, p.stop()) }()
		c := newClient(p.url, b.clients)
		begin := made
		made += n
		return b.measureRate(ctx, p, n, func(ctx context.Context, i int) error {
			return c.call(ctx, "CreateRepository", input{"repositoryName": fmt.Sprintf("team/app-%06d", begin+i)}, nil)
		})
	}
	for _, n := range []int{small, b.repositories - small} {
		r, err := create(n)
		if err != nil {
			return err
		}
		b.printf("CreateRepository, %d repositories before: %v\n\n", made-n, r)
		err = b.measured(ctx, b.repositoriesDir(), "DescribeRepositories", []row{{fmt.Sprintf("%d repositories", made), list{"DescribeRepositories", nil}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// starts prints how long the server takes to be ready, and its memory then.
func (b *bench) starts(ctx context.Context) error {
	b.printf("| Start | Median of %d | Memory |\n|---|---|---|\n", starts)
	for _, s := range []struct{ name, dir string }{
		{"empty", b.dir + "/empty"},
		{fmt.Sprintf("%d images", b.images+b.images/10+small), b.imagesDir()},
		{fmt.Sprintf("%d repositories", b.repositories), b.repositoriesDir()},
	} {
		var used memory
		var took []time.Duration
		for range starts {
			p, err := b.start(ctx, s.dir)
			if err != nil {
				return err
			}
			took = append(took, p.started)
			used, err = p.memory()
			if err = errors.Join(err, p.stop()); err != nil {
				return err
			}
		}
		b.printf("| %s | %s | %v |\n", s.name, ms(middle(took)), used)
	}
	b.printf("\n")
	return nil
}

// starts of the server whose median is taken.
const starts = 5
