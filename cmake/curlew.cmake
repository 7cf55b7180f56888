# Functions of the build: one library a folder, one test binary a *_test.cc.

include(GoogleTest)

add_library(curlew_options INTERFACE)
target_compile_options(curlew_options INTERFACE -Wall -Wextra)
if(CURLEW_WARNINGS_ARE_ERRORS)
  target_compile_options(curlew_options INTERFACE -Werror)
endif()
target_compile_options(curlew_options INTERFACE -Wno-missing-field-initializers)
target_include_directories(curlew_options INTERFACE ${CMAKE_SOURCE_DIR})
# The system's headers are not ours to warn about.
target_include_directories(curlew_options SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/proto)
target_compile_definitions(curlew_options INTERFACE CURLEW_VERSION="${PROJECT_VERSION}")

# Headers are read once for all who use them. What is precompiled costs each file that uses it something all the same
# (docs/adr/0017), so that there are several sets, each of which has what most of its users include:
#   curlew_pch            abseil, protobuf, and the messages: what no other is named for
#   curlew_sql_pch        these, and the parse trees of PostgreSQL
#   curlew_grpc_pch       the messages, gRPC and the stubs of the services
#   curlew_verb_pch       the same and CLI11, which costs two seconds wherever it is included: the verbs of the CLI
#   curlew_test_pch       curlew_pch and GoogleTest: the tests
#   curlew_grpc_test_pch  the same with gRPC and the stubs
set(CURLEW_PCH_LIBRARIES absl::status absl::statusor absl::strings absl::time curlew_proto protobuf::libprotobuf
                         gRPC::grpc++ spdlog::spdlog)
set(CURLEW_PCH_HEADERS
    <algorithm> <atomic> <chrono> <cstdint> <functional> <map> <memory> <mutex> <optional> <set> <string>
    <string_view> <thread> <unordered_map> <utility> <vector>
    <absl/container/flat_hash_map.h> <absl/status/status.h> <absl/status/statusor.h> <absl/strings/str_cat.h>
    <absl/strings/str_format.h> <absl/strings/str_join.h> <absl/synchronization/mutex.h> <absl/time/time.h>
    <google/protobuf/message.h> <curlew/v1/agent.pb.h> <curlew/v1/operator.pb.h>)

# A precompiled header is of use to those only that are compiled with its flags.
function(curlew_test_flags name pch)
  if(pch MATCHES "_test_pch$")
    target_compile_options(${name} PRIVATE ${CURLEW_TEST_FLAGS})
  endif()
endfunction()

# curlew_pch(NAME LIBRARIES target... HEADERS header...): a precompiled header, and its host.
function(curlew_pch name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES;HEADERS" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/${name}.cc "// Host of a precompiled header.\n")
  add_library(${name} STATIC ${CMAKE_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PUBLIC curlew_options ${CURLEW_PCH_LIBRARIES} ${ARG_LIBRARIES})
  target_precompile_headers(${name} PRIVATE ${CURLEW_PCH_HEADERS} ${ARG_HEADERS})
  curlew_test_flags(${name} ${name})
endfunction()

if(CURLEW_PCH)
  set(stubs <grpcpp/grpcpp.h> <curlew/v1/agent.grpc.pb.h> <curlew/v1/operator.grpc.pb.h>)
  set(test <gmock/gmock.h> <gtest/gtest.h>)
  curlew_pch(curlew_pch)
  curlew_pch(curlew_sql_pch LIBRARIES curlew_pg_query_proto HEADERS <pg_query.pb.h>)
  curlew_pch(curlew_grpc_pch LIBRARIES curlew_grpc HEADERS ${stubs})
  curlew_pch(curlew_verb_pch LIBRARIES curlew_grpc CLI11::CLI11 HEADERS ${stubs} <CLI/CLI.hpp>)
  curlew_pch(curlew_test_pch LIBRARIES GTest::gmock HEADERS ${test})
  curlew_pch(curlew_grpc_test_pch LIBRARIES curlew_grpc GTest::gmock HEADERS ${stubs} ${test})
endif()

# What a sanitizer has to be told, in each program.
if(CURLEW_TSAN)
  add_library(curlew_tsan OBJECT ${CMAKE_SOURCE_DIR}/tests/support/sanitizers/absl_sync.cc
                                 ${CMAKE_SOURCE_DIR}/tests/support/sanitizers/grpc_sync.cc)
  target_link_libraries(curlew_tsan PUBLIC curlew_options absl::status absl::synchronization gRPC::grpc++ ${CMAKE_DL_LIBS})
endif()
function(curlew_sanitize name)
  if(CURLEW_TSAN)
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:curlew_tsan>)
    target_link_libraries(${name} PRIVATE absl::status absl::synchronization gRPC::grpc++)
  endif()
endfunction()

# curlew_library(NAME SOURCES file... DEPS target... [PCH target]): the library of one folder.
function(curlew_library name)
  cmake_parse_arguments(ARG "" "PCH" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_PCH)
    set(ARG_PCH curlew_pch)
  endif()
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC curlew_options ${ARG_DEPS})
  curlew_reuse_pch(${name} ${ARG_PCH})
endfunction()

# curlew_binary(NAME SOURCES file... DEPS target...): an executable in build/bin.
function(curlew_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE curlew_options ${ARG_DEPS})
  curlew_reuse_pch(${name} curlew_pch)
  curlew_sanitize(${name})
endfunction()

function(curlew_reuse_pch name pch)
  if(CURLEW_PCH)
    target_link_libraries(${name} PRIVATE ${CURLEW_PCH_LIBRARIES})
    target_precompile_headers(${name} REUSE_FROM ${pch})
    curlew_test_flags(${name} ${pch})
  endif()
endfunction()

# curlew_test(PATH/x_test.cc LABEL unit|pg|e2e DEPS target... [PCH target]): one test binary, each TEST a test of ctest.
# pg and e2e tests need the shared cluster, which a fixture starts and stops.
function(curlew_test source)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT;PCH" "DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT ARG_PCH)
    set(ARG_PCH curlew_test_pch)
  endif()
  math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * ${CURLEW_SLOWNESS}")
  file(RELATIVE_PATH rel ${CMAKE_SOURCE_DIR}/tests ${CMAKE_CURRENT_SOURCE_DIR}/${source})
  string(REPLACE "/" "_" name ${rel})
  string(REPLACE ".cc" "" name ${name})
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
  target_link_libraries(${name} PRIVATE curlew_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  curlew_reuse_pch(${name} ${ARG_PCH})
  curlew_sanitize(${name})
  set(properties LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  if(NOT ARG_LABEL STREQUAL "unit")
    list(APPEND properties FIXTURES_REQUIRED postgres ENVIRONMENT
         "CURLEW_TEST_CLUSTER=${CMAKE_BINARY_DIR}/test-cluster.env")
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${rel}:" DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
  set_property(GLOBAL APPEND PROPERTY CURLEW_BUILT_TESTS ${rel})
endfunction()

# Fails configure on a *_test.cc that no curlew_test() names.
function(curlew_no_unbuilt_tests)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/tests/*_test.cc)
  get_property(built GLOBAL PROPERTY CURLEW_BUILT_TESTS)
  foreach(test IN LISTS found)
    if(NOT test IN_LIST built)
      message(FATAL_ERROR "tests/${test} is not built: name it in a curlew_test() of its folder's CMakeLists.txt")
    endif()
  endforeach()
endfunction()

# curlew_embed(NAME file...): a library NAME with each text file as a string constant; found by its path
# below the calling folder through curlew::migrations::Embedded().
function(curlew_embed name)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  set(inputs)
  foreach(f IN LISTS ARGN)
    list(APPEND inputs ${CMAKE_CURRENT_SOURCE_DIR}/${f})
  endforeach()
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} "-DFILES=${ARGN}" -DDIR=${CMAKE_CURRENT_SOURCE_DIR} -P
            ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${inputs} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  add_library(${name} STATIC ${out})
  target_link_libraries(${name} PUBLIC curlew_options)
endfunction()
