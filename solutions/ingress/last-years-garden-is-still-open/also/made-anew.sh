# also right: the old sheet goes, and a new one has the archive alone.
kubectl -n garden-archive delete ingress catalogue
kubectl -n garden-archive create ingress archive --class nginx --rule 'archive.garden.example/*=catalogue:80'
