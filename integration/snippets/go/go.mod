module drive

go 1.26
