module github.com/keyward-go/keyward/e2e

go 1.26.0
