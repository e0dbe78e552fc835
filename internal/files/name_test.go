package files

import "testing"

func TestCheckWindowsName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		`out`, `.`, `..`, `..\out`, `./out`, `C:\x\out`, `c:/x/out`, `C:\`, `\out`, `\\server\share\out`, `\\?\C:\nul.`, `\\.\C:\x`,
		`a b`, `.hidden`, `consul`, `com10`, `com`, `x.nul`, `company\aux1`, `é`, `build\`, `at@home`,
	} {
		if err := checkWindowsName(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		`NUL`, `nul.tar`, `NUL.tar.gz`, `x\Con\y`, `C:\aux`, `prn .txt`, `COM1`, `lpt9.log`, `com0`, `COM²`, `CONIN$`, `conout$`,
		`out.tar:stream`, `C:out`, `C:\x\out:y`, `ab:\x`, `1:\x`, `a?`, `a*b`, `a|b`, `<a>`, `a"b`, "a\x1fb", "a\nb",
		`trailing.`, `trailing `, `C:\x \y`, `...`, `x\...\y`,
	} {
		if err := checkWindowsName(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
