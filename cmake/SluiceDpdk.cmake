# SPDX-License-Identifier: BSD-3-Clause
# DPDK, linked statically and by a hand-picked list: a shared DPDK loads all of its ~130 drivers at every start, and
# `pkg-config --static` is broken as Debian ships it.
find_package(PkgConfig REQUIRED)
pkg_check_modules(DPDK REQUIRED libdpdk>=22.11)
pkg_check_modules(NUMA REQUIRED numa)
pkg_check_modules(PCAP REQUIRED libpcap)
pkg_check_modules(BSD REQUIRED libbsd)
pkg_get_variable(DPDK_LIBDIR libdpdk libdir)

set(dpdk_drivers bus_vdev bus_pci mempool_ring net_virtio net_vhost net_tap net_af_packet net_pcap net_null net_ring
	net_ixgbe net_i40e net_iavf net_ice net_e1000 net_vmxnet3)
set(dpdk_libs vhost cryptodev dmadev security ip_frag fib rib acl hash rcu gso net ethdev meter mbuf mempool ring pci
	timer telemetry kvargs eal common_iavf power sched)

# DPDK's packet headers bring the compiler's intrinsics, 54,000 lines that take three quarters of the time that most files take. They are compiled once
# (SluicePrecompiled.cmake), but with a compiler cache: it does not look into what is precompiled, and such builds find a missing #include.
if(CMAKE_C_COMPILER_LAUNCHER)
	option(SLUICE_PRECOMPILED "precompile DPDK's headers" OFF)
else()
	option(SLUICE_PRECOMPILED "precompile DPDK's headers" ON)
endif()

add_library(sluice_dpdk INTERFACE)
if(NOT SLUICE_PRECOMPILED)
	target_compile_options(sluice_dpdk INTERFACE "SHELL:-include rte_config.h")
endif()
target_compile_options(sluice_dpdk INTERFACE -mssse3 -march=${SLUICE_MARCH})
target_include_directories(sluice_dpdk SYSTEM INTERFACE ${DPDK_INCLUDE_DIRS})
set(archives)
foreach(lib ${dpdk_drivers} ${dpdk_libs})
	set(archive ${DPDK_LIBDIR}/librte_${lib}.a)
	if(EXISTS ${archive})
		list(APPEND archives ${archive})
	endif()
endforeach()
# Whole archives: drivers announce themselves by constructors, which nothing refers to.
list(JOIN archives "," archives)
target_link_libraries(sluice_dpdk INTERFACE "$<LINK_LIBRARY:WHOLE_ARCHIVE,${archives}>" ${NUMA_LIBRARIES}
	${PCAP_LIBRARIES} ${BSD_LIBRARIES} pthread dl m)
