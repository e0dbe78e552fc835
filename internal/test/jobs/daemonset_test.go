package jobs

import (
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// TestDaemonSet decodes the DaemonSet of the proxy that the documentation shows, and follows its volumes, labels and ports.
func TestDaemonSet(t *testing.T) {
	page, err := os.ReadFile("../../../docs/proxy-guides.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "```yaml\n")
	text, _, ended := strings.Cut(text, "\n```")
	if !found || !ended {
		t.Fatal("the page has no YAML")
	}
	var set appsv1.DaemonSet
	if err := yaml.UnmarshalStrict([]byte(text), &set); err != nil {
		t.Fatal(err)
	}
	if set.Kind != "DaemonSet" || set.APIVersion != appsv1.SchemeGroupVersion.String() || set.Name == "" {
		t.Errorf("%+v %+v", set.TypeMeta, set.ObjectMeta)
	}
	template := set.Spec.Template
	if selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector); err != nil || selector.Empty() || !selector.Matches(labels.Set(template.Labels)) {
		t.Errorf("the selector %v does not match the labels %v: %v", set.Spec.Selector, template.Labels, err)
	}
	pod := template.Spec
	if !pod.HostNetwork || len(pod.InitContainers) != 1 || len(pod.Containers) != 1 {
		t.Fatalf("%+v", pod)
	}
	used := map[string]corev1.VolumeMount{}
	for _, c := range []corev1.Container{pod.InitContainers[0], pod.Containers[0]} {
		if !slices.Equal(c.Command[:2], []string{"ecrkit", "proxy"}) || c.Image == "" {
			t.Errorf("%s: %v of %q", c.Name, c.Command, c.Image)
		}
		for _, m := range c.VolumeMounts {
			used[m.Name] = m
		}
	}
	for _, v := range pod.Volumes {
		m, ok := used[v.Name]
		if delete(used, v.Name); !ok || v.HostPath == nil {
			t.Errorf("the volume %+v is mounted as %+v", v, m)
			continue
		}
		// setup writes below --root, which is where the node's directory is.
		if v.HostPath.Path == "/etc/containerd" && m.MountPath != "/host"+v.HostPath.Path {
			t.Errorf("%s is at %s", v.HostPath.Path, m.MountPath)
		}
	}
	if len(used) > 0 {
		t.Errorf("volumes are missing: %v", used)
	}
	proxy := pod.Containers[0]
	if p := proxy.ReadinessProbe.HTTPGet; p.Host != "127.0.0.1" || p.Port.IntValue() != 4511 || p.Path != "/healthz" {
		t.Errorf("%+v", p)
	}
	if i := slices.Index(proxy.Command, "--cache"); i < 0 || !strings.HasPrefix(proxy.Command[i+1], proxy.VolumeMounts[0].MountPath+"/") || !*proxy.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("the cache of %v is not in the volume %+v", proxy.Command, proxy.VolumeMounts)
	}
}
