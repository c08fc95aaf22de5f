# Does what drive.mjs does, with the snippet for the shell.
. ./verify.sh

while IFS='|' read -r id timestamp signatures now body; do
	printf %s "$body" | openssl base64 -d -A >body
	if verify_webhook "$id" "$timestamp" "$signatures" body; then echo yes; else echo no; fi
done
