# What Vagrant itself makes of a Vagrantfile: its settings, as JSON. usage: ruby eval_vagrantfile.rb FOLDER PROVIDER
require 'json'
require 'vagrant'

# A Vagrant before 2.4 gets the setting that 2.4 brought (plugins/kernel_v2/config/vm.rb), so that it is seen what it becomes.
# There :auto alone is the host's own architecture; anything else is made a string, and a box must have a build of that name.
require Vagrant.source_root.join('plugins/kernel_v2/config/vm').to_s
VagrantPlugins::Kernel_V2::VMConfig.attr_accessor :box_architecture unless VagrantPlugins::Kernel_V2::VMConfig.method_defined?(:box_architecture)

folder, provider = ARGV
environment = Vagrant::Environment.new(cwd: folder)
machines = environment.machine_names.map do |name|
  machine = environment.machine(name, provider.to_sym)
  vm, settings = machine.config.vm, machine.provider_config
  asked = { 'virtualbox' => %i[name customizations linked_clone check_guest_additions default_nic_type],
            'libvirt' => %i[driver default_prefix memory cpus cpu_mode cpu_model cpu_features graphics_type disk_driver_opts],
            'lxc' => %i[container_name backingstore ssh_ip_addr customizations] }.fetch(provider)
  {
    name: name, hostname: vm.hostname, box: vm.box, box_version: vm.box_version, box_url: vm.box_url,
    box_architecture: (vm.box_architecture || :auto).inspect, box_check_update: vm.box_check_update, boot_timeout: vm.boot_timeout, allow_hosts: vm.allow_hosts_modification,
    networks: vm.networks.select { |kind, _| kind == :private_network }.map { |_, options| options.reject { |key, _| key == :id } },
    shared: vm.synced_folders.reject { |_, options| options[:disabled] }.keys,
    ssh: { username: machine.config.ssh.username, insert_key: machine.config.ssh.insert_key, host: machine.config.ssh.host },
    provider: asked.map { |key| [key, settings.public_send(key)] }.to_h,
    provisioners: vm.provisioners.map { |one| one.name.to_s },
  }
end
puts JSON.generate(machines)
