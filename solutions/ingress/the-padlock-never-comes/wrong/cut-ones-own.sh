# fails: a visitor sees the padlock
# A locksmith makes keys herself. The Certificate is READY at once, since there is a Secret that fits, and nobody trusts it.
dir=$(mktemp -d)
openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=keys.locksmith.example \
    -addext subjectAltName=DNS:keys.locksmith.example -keyout "$dir/key" -out "$dir/crt" 2>/dev/null
kubectl -n locksmith create secret tls front-tls --cert "$dir/crt" --key "$dir/key"
rm -r "$dir"
