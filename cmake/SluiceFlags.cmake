# SPDX-License-Identifier: BSD-3-Clause
# Compiler flags of every target. -march comes after what pkg-config says for DPDK (which ends in -march=corei7).
add_compile_definitions(_GNU_SOURCE ALLOW_EXPERIMENTAL_API SLUICE_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
	-Wno-address-of-packed-member -fno-strict-aliasing -fno-omit-frame-pointer)
if(SLUICE_WERROR)
	add_compile_options(-Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
	set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O3 -g")
endif()
if(SLUICE_SANITIZE STREQUAL "thread")
	add_compile_options(-fsanitize=thread)
	add_link_options(-fsanitize=thread)
elseif(SLUICE_SANITIZE)
	add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-sanitize=alignment)
	add_link_options(-fsanitize=address,undefined)
endif()
if(SLUICE_FUZZ)
	# The fuzzers see which way an input takes through the libraries only if those are instrumented too.
	add_compile_options(-fsanitize=fuzzer-no-link)
	add_link_options(-fsanitize=fuzzer-no-link)
endif()
