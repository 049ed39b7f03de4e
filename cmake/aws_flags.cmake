# How the static bootstrap is compiled and linked. What must not be warned of is decided by the compilers
# of the ordinary build; this one is newer, and warns of more.
add_compile_options(-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables -Wno-error -Wno-enum-enum-conversion)
add_link_options(-static -Wl,--gc-sections -s)
