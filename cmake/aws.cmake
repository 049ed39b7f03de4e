# Toolchain of the static build for Lambda: the compiler in SPILLWAY_TOOLS, which script/build-aws makes.
set(CMAKE_SYSTEM_NAME Linux)
set(SPILLWAY_TOOLS "" CACHE PATH "Folder of cc, ar and ranlib")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SPILLWAY_TOOLS)
set(CMAKE_C_COMPILER ${SPILLWAY_TOOLS}/cc)
set(CMAKE_AR ${SPILLWAY_TOOLS}/ar)
set(CMAKE_RANLIB ${SPILLWAY_TOOLS}/ranlib)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
