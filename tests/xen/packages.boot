# What is only unpacked: the hypervisor, Dom0's kernel (the cloud kernel cannot
# be a Dom0) and the guests' kernel.
linux-image-amd64
linux-image-cloud-amd64
xen-hypervisor-4.17-amd64
