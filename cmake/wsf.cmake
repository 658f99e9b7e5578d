# SPDX-License-Identifier: Apache-2.0
# How this tree is built: one library a folder, the folder's .cc files, named wsf_<folder>.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc++)
pkg_check_modules(ABSL REQUIRED absl_strings absl_str_format absl_status absl_statusor absl_time
                  absl_flat_hash_map absl_synchronization)

# By name and with what they need, so that the linker takes .a for a static program, else .so.
add_library(wsf_absl INTERFACE)
target_link_libraries(wsf_absl INTERFACE ${ABSL_STATIC_LIBRARIES})

add_library(wsf_options INTERFACE)
target_compile_options(wsf_options INTERFACE -Wall -Wextra -Wshadow -Werror -ffunction-sections
                                             -fdata-sections)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12: <utility> is missing in asio/awaitable.hpp; coroutine frames, and maps in aggregates,
  # draw false warnings.
  target_compile_options(wsf_options INTERFACE -Wno-mismatched-new-delete -Wno-maybe-uninitialized
                                               -include utility)
endif()
target_link_options(wsf_options INTERFACE -Wl,--gc-sections)
target_include_directories(wsf_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/proto)
# wsf_library(folder [SOURCES file...] [DEPS target...]): the library wsf_<folder with _> of these files
# of the folder; without SOURCES it is one of headers. Files are listed, not globbed: a new one is then
# built without a CMake run of one's own, and `make lint` finds one that is not listed.
function(wsf_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  string(REPLACE "/" "_" name wsf_${folder})
  list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/${folder}/)
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC wsf_options ${arg_DEPS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE wsf_options ${arg_DEPS})
  endif()
endfunction()
