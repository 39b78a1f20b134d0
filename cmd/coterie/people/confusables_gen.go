//go:build ignore

// Confusables_gen makes the table of characters that look alike from Unicode's
// confusables.txt (https://www.unicode.org/Public/security/), which has to be
// there already: nothing is fetched.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"strings"
)

func main() {
	from := flag.String("from", "", "Unicode's confusables.txt")
	to := flag.String("to", "", "the table")
	flag.Parse()
	in, err := os.ReadFile(*from)
	if err != nil {
		log.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^# Version: (.*)$`).FindSubmatch(in)
	if version == nil {
		log.Fatal("no version")
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s", strings.ReplaceAll(licence, "VERSION", string(version[1])))
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(in, []byte("\ufeff"))))
	for lines.Scan() {
		data, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Split(data, ";")
		if len(fields) != 3 {
			continue
		}
		fmt.Fprintf(&out, "%s;%s\n", strings.TrimSpace(fields[0]), strings.TrimSpace(fields[1]))
	}
	if err := os.WriteFile(*to, out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

const licence = `# Characters and what they look like: UTS #39, version VERSION, source;target in hex.
# Made from Unicode's confusables.txt by confusables_gen.go.
#
# UNICODE LICENSE V3
#
# COPYRIGHT AND PERMISSION NOTICE
#
# Copyright © 2016-2024 Unicode, Inc.
#
# NOTICE TO USER: Carefully read the following legal agreement. BY
# DOWNLOADING, INSTALLING, COPYING OR OTHERWISE USING DATA FILES, AND/OR
# SOFTWARE, YOU UNEQUIVOCALLY ACCEPT, AND AGREE TO BE BOUND BY, ALL OF THE
# TERMS AND CONDITIONS OF THIS AGREEMENT. IF YOU DO NOT AGREE, DO NOT
# DOWNLOAD, INSTALL, COPY, DISTRIBUTE OR USE THE DATA FILES OR SOFTWARE.
#
# Permission is hereby granted, free of charge, to any person obtaining a
# copy of data files and any associated documentation (the "Data Files") or
# software and any associated documentation (the "Software") to deal in the
# Data Files or Software without restriction, including without limitation
# the rights to use, copy, modify, merge, publish, distribute, and/or sell
# copies of the Data Files or Software, and to permit persons to whom the
# Data Files or Software are furnished to do so, provided that either (a)
# this copyright and permission notice appear with all copies of the Data
# Files or Software, or (b) this copyright and permission notice appear in
# associated Documentation.
#
# THE DATA FILES AND SOFTWARE ARE PROVIDED "AS IS", WITHOUT WARRANTY OF ANY
# KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
# MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT OF
# THIRD PARTY RIGHTS.
#
# IN NO EVENT SHALL THE COPYRIGHT HOLDER OR HOLDERS INCLUDED IN THIS NOTICE
# BE LIABLE FOR ANY CLAIM, OR ANY SPECIAL INDIRECT OR CONSEQUENTIAL DAMAGES,
# OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS,
# WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,
# ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THE DATA
# FILES OR SOFTWARE.
#
# Except as contained in this notice, the name of a copyright holder shall
# not be used in advertising or otherwise to promote the sale, use or other
# dealings in these Data Files or Software without prior written
# authorization of the copyright holder.
`
