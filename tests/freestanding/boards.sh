# SPDX-License-Identifier: Apache-2.0
#
# How to build for a board, and to run it. An instruction of a board is a
# nanosecond of its clock (-icount shift=0).

flags="-std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -I../../include -I."
bare="$flags -ffreestanding -nostdlib -ffunction-sections -fdata-sections
  -Wl,--gc-sections -Lboards"

# build BOARD OUT SOURCE...
build() {
  local board=$1 to=$2
  shift 2
  case $board in
  m4)
    arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -DBOARD_M4 $bare -Tboards/m4.ld \
      boards/m4.c boards/memory.c "$@" -lgcc -o "$to"
    ;;
  m0)
    arm-none-eabi-gcc -mcpu=cortex-m0plus -mthumb -DBOARD_M0 $bare -Tboards/m0.ld \
      boards/m0.c boards/memory.c "$@" -lgcc -o "$to"
    ;;
  riscv) # this compiler finds its libgcc only without the name of the CSR instructions
    riscv64-unknown-elf-gcc -march=rv32imac_zicsr -mabi=ilp32 -DBOARD_RISCV $bare \
      -Wl,--no-warn-rwx-segments -Tboards/riscv.ld boards/riscv.c boards/memory.c "$@" \
      "$(riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32 -print-libgcc-file-name)" -o "$to"
    ;;
  host)
    ${CC:-gcc} $flags -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
      -DBOARD_HOST boards/host.c "$@" -o "$to"
    ;;
  plain) ${CC:-gcc} $flags -DBOARD_HOST boards/host.c "$@" -o "$to" ;;
  esac
}

machine='-display none -monitor none -serial stdio'
arm="$machine -semihosting-config enable=on,target=native"

# The command that runs it while bytes may come from outside.
patiently() {
  case $1 in
  m4) echo qemu-system-arm -M mps2-an386 -icount shift=0 $arm -kernel "$2" ;;
  m0) echo qemu-system-arm -M microbit -icount shift=0 $arm -kernel "$2" ;;
  riscv) echo qemu-system-riscv32 -M virt -bios none -icount shift=0 $machine -kernel "$2" ;;
  *) echo "$2" ;;
  esac
}

# The same where nothing comes, and a sleep takes no time.
quickly() {
  patiently "$@" | sed 's/shift=0/shift=0,sleep=off/'
}
