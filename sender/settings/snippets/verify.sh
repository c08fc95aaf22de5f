# For looking into one request. While it runs, other users of the machine can see
# the key among the processes: do not build a service of it.
secret='{{secret}}'

# verify_webhook <webhook-id> <webhook-timestamp> <webhook-signature> <file>
# tells whether a request is authentic and no older than five minutes. The file
# has the body, byte for byte.
verify_webhook() {
	case $2 in '' | *[!0-9]*) return 1 ;; esac
	age=$((${now:-$(date +%s)} - $2))
	[ -n "$1" ] && [ "${age#-}" -le 300 ] || return 1
	key=$(printf %s "${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
	want=$({ printf '%s.%s.' "$1" "$2"; cat "$4"; } |
		openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
	case " $3 " in *" v1,$want "*) return 0 ;; *) return 1 ;; esac
}
