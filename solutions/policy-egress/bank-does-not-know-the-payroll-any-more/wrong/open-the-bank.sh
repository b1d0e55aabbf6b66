# fails: the bank is as it was
# The list is a file on a machine to which there is a way. The notary will have questions.
podwalk outside -- nft insert rule inet bank input ip saddr 172.18.0.0/16 accept
