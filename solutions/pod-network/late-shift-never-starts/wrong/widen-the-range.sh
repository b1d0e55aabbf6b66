# fails: four sorters are ready
# More addresses, out of a free part of the network: but cni0 has an address of the old range already, and says so.
podwalk node "$WORKER2" -- sed -i 's#"subnet": "[^"]*"#"subnet": "10.244.200.0/24"#' /etc/cni/net.d/10-flannel.conflist
