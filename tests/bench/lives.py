# SPDX-License-Identifier: MIT
"""Whole lives, creates, and 1,000 waiting creates: rates, and lessord's CPU time for each."""
from table import figures, line, median
from world import World, cpu_seconds

ROUNDS = 3
SECONDS = 5
WARM_LIVES = 600
CREATES = 700
WAITING = 1000
BOOT_MS = 20000


def with_sim(world, *words):
    """Runs a load; adds the CPU time of the simulated cloud to the result."""
    before = cpu_seconds(world.sim.pid)
    result = world.load(*words)
    result["sim_cpu_s"] = cpu_seconds(world.sim.pid) - before
    return result


def cpu_ms(result, name="cpu_s"):
    return result[name] / result["done"] * 1000


def times(result):
    return ", ".join(f"{name} p50 {result[name + '_p50_ms']:,.0f} ms"
                     f" p99 {result[name + '_p99_ms']:,.0f} ms"
                     for name in ("create", "release") if name + "_p50_ms" in result)


def warm(world, lives=WARM_LIVES):
    """lessord learns the boot time slowly; until then each create waits longer."""
    return world.load("-n", 64, "-m", lives, "lives")


def lives_rounds(world):
    rounds = [with_sim(world, "-n", 64, "-w", 1, "-t", 1 + SECONDS, "lives")
              for _ in range(ROUNDS)]
    return {name: median([r[name] for r in rounds]) for name in rounds[0]}


def lives_at_64(world):
    cold = warm(world)
    result = lives_rounds(world)
    figures["lives"], figures["cpu_life"] = result["per_s"], cpu_ms(result)
    line("whole lives (create to ready, release to gone), 64 clients", f"{result['per_s']:,.0f}/s",
         f"{cpu_ms(result):.1f} ms CPU each; {times(result)}")
    line(f"the first {WARM_LIVES} of them", f"{cold['per_s']:,.0f}/s",
         f"{cpu_ms(cold):.1f} ms CPU each")
    sim_ms = cpu_ms(result, "sim_cpu_s")
    line("the simulator's CPU per life", f"{sim_ms:.2f} ms",
         f"one core of it would do {1000 / sim_ms:,.0f} lives/s; the client's: "
         f"{cpu_ms(result, 'client_cpu_s'):.2f} ms")


def calls_of_one(world, count=20):
    connection = world.connect()
    before = world.sim_get("/_sim/state")["requests"]
    for _ in range(count):
        world.life(connection)
    calls = (world.sim_get("/_sim/state")["requests"] - before) / count
    line("provider calls per life, keys = account, one at a time", f"{calls:.1f}")


def creates_at_64():
    """Few enough that the simulated cloud does not become slow itself."""
    world = World()
    world.settle()
    warm(world)
    rounds = [with_sim(world, "-n", 64, "-m", CREATES, "creates") for _ in range(ROUNDS)]
    world.end()
    figures["creates"] = median([r["per_s"] for r in rounds])
    line("creates until ready, 64 clients", f"{figures['creates']:,.0f}/s",
         f"{median(map(cpu_ms, rounds)):.1f} ms CPU each; the simulator's: "
         f"{median([cpu_ms(r, 'sim_cpu_s') for r in rounds]):.2f} ms; "
         f"{times(rounds[ROUNDS // 2])}")


def thousand_waiting():
    """With the default poll interval, because real machines do not boot at once."""
    world = World(poll="2s", times={"boot_ms": BOOT_MS})
    world.settle()
    before = world.sim_get("/_sim/state")["requests"]
    result = with_sim(world, "-n", WAITING, "-m", WAITING, "-d", 300, "lives")
    calls = (world.sim_get("/_sim/state")["requests"] - before) / WAITING
    world.end()
    figures["cpu_waiting"] = cpu_ms(result)
    line(f"CPU per life, {WAITING:,} waiting at once ({BOOT_MS // 1000} s boots)",
         f"{cpu_ms(result):.1f} ms", f"{calls:.1f} provider calls each; the simulator's CPU: "
         f"{cpu_ms(result, 'sim_cpu_s'):.2f} ms; {times(result)}")
